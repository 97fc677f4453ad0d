#include <stdlib.h>

#include "base/xalloc.h"
#include "log/picture.h"

struct picture *
picture_new(const struct rules *rules, const struct graph_style *graph, const struct svg_style *svg)
{
	struct picture *pic = xcalloc(1, sizeof *pic);

	pic->trace = trace_new(rules);
	pic->graph = graph ? graph_new(graph, pic->trace) : NULL;
	pic->svg = svg ? svg_new(svg, pic->trace) : NULL;
	return pic;
}

void
picture_free(struct picture *pic)
{
	if (!pic)
		return;
	graph_free(pic->graph);
	svg_free(pic->svg);
	trace_free(pic->trace);
	free(pic);
}

void
picture_record(struct picture *pic, const struct shown *x, const char *p, size_t n, struct buf *out)
{
	struct event e;

	trace_record(pic->trace, x, p, n, &e);
	if (pic->graph)
		graph_event(pic->graph, &e, out);
	if (pic->svg)
		svg_event(pic->svg, &e);
}

void
picture_flush(struct picture *pic, struct buf *out)
{
	if (pic->graph)
		graph_flush(pic->graph, out);
}
