/*
 * svg - what happened, as a space-time diagram that a browser shows.
 *
 * Time goes down, a line an emitter, a dot a record, an arrow from each record
 * to those of other emitters that follow it.  It is one SVG document without
 * script or anything from outside, for a window or an <img>: light and dark, as
 * the reader likes it.  Whatever bytes a record holds, the document is
 * well-formed XML.
 *
 * Rows stand in the order of output, further apart the more time is between
 * them, by its logarithm; where much more than usual went by, the lines are
 * broken.
 */
#ifndef OUTPUT_SVG_H
#define OUTPUT_SVG_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "output/model.h"

enum { SVG_RECORDS = 5000 };	/* more than that are no picture any more */

struct svg_style {
	size_t last;		/* only the last so many records; 0 for SVG_RECORDS */
};

struct svg;

/* T, whose events it draws, is borrowed. */
struct svg *svg_new(const struct svg_style *style, const struct model *t);
void svg_free(struct svg *s);
void svg_event(struct svg *s, const struct event *e);

/* The document, of the last records; returns how many earlier ones it lacks, though they were wanted. */
uint64_t svg_format(const struct svg *s, struct buf *out);

#endif
