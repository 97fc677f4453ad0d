/*
 * stylesheet - how a document looks, on light and on dark: the style sheet of
 * output/svg.h, and the colours of output/html.h.
 *
 * Lanes are of class fN where they fill and sN where they stroke, N below
 * STYLESHEET_COLOURS.
 */
#ifndef OUTPUT_STYLESHEET_H
#define OUTPUT_STYLESHEET_H

#include "base/buf.h"

enum { STYLESHEET_COLOURS = 8 };

/* The element, into OUT. */
void stylesheet_add(struct buf *out);

/* Of lanes alone, for another document: rules that set its variables --lane0 to --lane7. */
void stylesheet_add_colours(struct buf *out);

#endif
