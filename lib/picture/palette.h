/*
 * palette - how a document looks, on light and on dark: the style sheet of
 * picture/svg.h.
 *
 * Lanes are of class fN where they fill and sN where they stroke, N below
 * PALETTE_COLOURS.
 */
#ifndef PICTURE_PALETTE_H
#define PICTURE_PALETTE_H

#include "base/buf.h"

enum { PALETTE_COLOURS = 8 };

/* The element, into OUT. */
void palette_style(struct buf *out);

#endif
