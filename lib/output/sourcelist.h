/*
 * sourcelist - how each source was understood, as a table or as JSON Lines.
 */
#ifndef OUTPUT_SOURCELIST_H
#define OUTPUT_SOURCELIST_H

#include "base/buf.h"
#include "record/survey.h"

/* The row of each of N sources into OUT: {"source":...} a line with JSON, else a table with a heading. */
void sourcelist_print(struct source *const *v, const struct survey *surveys, unsigned n, bool json, struct buf *out);

#endif
