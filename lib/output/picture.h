/*
 * picture - records drawn instead of printed: as a graph for a terminal, as a
 * space-time diagram, as a page for a browser, or as several of them; or written
 * with vector clocks for ShiViz.
 */
#ifndef OUTPUT_PICTURE_H
#define OUTPUT_PICTURE_H

#include "output/graph.h"
#include "output/html.h"
#include "output/shiviz.h"
#include "output/svg.h"

/* What is asked for; all unset: nothing is drawn. */
struct picture_wanted {
	bool graph, ascii, shiviz;
	const char *svg, *html;		/* the files that are drawn into, or NULL */
};

struct picture {
	struct render_artist artist;	/* the first member: it is the picture */
	struct model *model;
	struct graph *graph;		/* or NULL */
	struct svg *svg;		/* or NULL */
	struct html *html;		/* or NULL */
	struct shiviz *shiviz;		/* or NULL */
};

/* RULES is borrowed; a style that is NULL is not drawn. */
struct picture *picture_new(const struct rules *rules, const struct graph_style *graph, const struct svg_style *svg,
    const struct html_style *html);

/*
 * Have what WANTED asks for drawn as STYLE says, for standard output, which is a terminal or not: the picture is the
 * artist of STYLE.  NULL where it asks for nothing.
 */
struct picture *picture_begin(const struct picture_wanted *wanted, const struct rules *rules, struct render_style *style,
    bool tty);
void picture_free(struct picture *p);

/*
 * Write the diagram, or the page, to the file PATH, "-" for standard output; LOST is how many earlier records it lacks.
 * A negative errno.
 */
int picture_save_svg(const struct picture *p, const char *path, uint64_t *lost);
int picture_save_html(const struct picture *p, const char *path, uint64_t *lost);

#endif
