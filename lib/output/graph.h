/*
 * graph - what happened, drawn in a terminal.
 *
 *	2026-11-21     watch
 *	               │   retry
 *	20:16:00.456   ●   │    watch  camera-2 arrived
 *	20:16:00.460   ├──►●    retry  asked to look again
 *
 * A lane an emitter; a row a record, in the order of output; on its row, an
 * arrow from each other lane that has what it follows.  A lane is dotted while its emitter is stopped, a
 * row without a record stands for time in which little happened.  Emitters
 * beyond those that there is room for share the last lane.
 *
 * Rows wait until the lanes of the first few hundred are known, or graph_flush().
 */
#ifndef OUTPUT_GRAPH_H
#define OUTPUT_GRAPH_H

#include <stdbool.h>

#include "base/buf.h"
#include "output/model.h"

struct graph_style {
	unsigned width;		/* columns of a row; 0: no limit */
	bool ascii, colour;
	bool explain;		/* say how each arrow is known */
	size_t last;		/* only the last so many records, at the flush; 0 for all */
};

struct graph;

/* T, whose events it draws, is borrowed. */
struct graph *graph_new(const struct graph_style *style, const struct model *t);
void graph_free(struct graph *g);

/* Rows, each with its newline, are added to OUT as soon as they can be. */
void graph_event(struct graph *g, const struct event *e, struct buf *out);
void graph_flush(struct graph *g, struct buf *out);

#endif
