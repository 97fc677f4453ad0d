/*
 * picture - records drawn instead of printed: as a graph for a terminal, as a
 * space-time diagram, or both.
 */
#ifndef LOG_PICTURE_H
#define LOG_PICTURE_H

#include "log/graph.h"
#include "log/svg.h"

struct shown;

struct picture {
	struct trace *trace;
	struct graph *graph;	/* or NULL */
	struct svg *svg;	/* or NULL */
};

/* RULES is borrowed; a style that is NULL is not drawn. */
struct picture *picture_new(const struct rules *rules, const struct graph_style *graph, const struct svg_style *svg);
void picture_free(struct picture *p);

/* The N bytes of P are X's record; what there is to print by now is added to OUT. */
void picture_record(struct picture *pic, const struct shown *x, const char *p, size_t n, struct buf *out);
void picture_flush(struct picture *pic, struct buf *out);

#endif
