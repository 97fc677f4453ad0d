/*
 * svgplan - where everything stands in a space-time diagram: the layout of output/svg.h.
 *
 * Units: pixels.
 */
#ifndef OUTPUT_SVGPLAN_H
#define OUTPUT_SVGPLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "output/model.h"
#include "output/ring.h"

enum {
	SVGPLAN_LANES = 48,	/* at most; the last one is then that of all others */
	SVGPLAN_MARGIN = 28,
	SVGPLAN_ROW = 22,	/* from one record to the next, where no time is between them */
	SVGPLAN_BREAK = 40,	/* where the lines are broken */
	SVGPLAN_STRIP = 34,	/* where the names of the lanes are repeated */
	SVGPLAN_NAME_COLUMNS = 20,
	SVGPLAN_TEXT_COLUMNS = 120,
};

#define SVGPLAN_CHAR_WIDTH	7.25	/* of the monospaced fonts that browsers have, at 12 px */

struct svgplan_place {
	double y;
	double gap_y;		/* of the break before it, 0 for none */
	double strip_y;		/* of the names before it, 0 for none */
	int64_t gap_ns;
	int64_t day;
};

struct svgplan {
	const struct model *model;
	const struct ring *ring;
	struct svgplan_place *rows;
	unsigned *lane;		/* by emitter, plus 1; 0: not in the picture */
	unsigned *emitter;	/* by lane */
	unsigned lanes, emitters;
	bool sharing, slanted;
	unsigned digits;	/* of a second */
	struct buf note;	/* what is not in it */
	double x0, step, name_x, text_x, head_y, top, bottom, width, height;
};

/* Of the events in RING, which is borrowed like MODEL; LOST earlier ones are not there.  Release it. */
void svgplan_begin(struct svgplan *p, const struct model *model, const struct ring *ring, uint64_t lost);
void svgplan_release(struct svgplan *p);

const char *svgplan_name(const struct svgplan *p, unsigned lane);

/* Columns of a lane's name, so that it does not reach into the next one. */
unsigned svgplan_name_room(const struct svgplan *p);

/* The columns of TEXT, MOST at most. */
double svgplan_columns(const char *text, unsigned most);

/* Of the lane of an emitter: where it is, and the number of its colour. */
double svgplan_lane_x(const struct svgplan *p, unsigned emitter);
unsigned svgplan_tint(const struct svgplan *p, unsigned emitter);

#endif
