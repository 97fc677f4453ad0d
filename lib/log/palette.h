/*
 * palette - how a document looks, on light and on dark: the style sheet of
 * log/svg.h.
 *
 * Lanes are of class fN where they fill and sN where they stroke, N below
 * PALETTE_COLOURS.
 */
#ifndef LOG_PALETTE_H
#define LOG_PALETTE_H

#include "base/buf.h"

enum { PALETTE_COLOURS = 8 };

/* The element, into OUT. */
void palette_style(struct buf *out);

#endif
