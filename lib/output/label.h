/*
 * label - text of a log, shown to a person as part of one line.
 *
 * Controls, bytes that are no UTF-8, and characters that turn the direction of
 * a line round are shown as \xHH or \uHHHH; a tab is a blank.  Columns are
 * those of a terminal: two for wide characters, none for combining ones.
 */
#ifndef OUTPUT_LABEL_H
#define OUTPUT_LABEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Add the N bytes of P to OUT, in no more than COLUMNS (0: no limit); what is
 * cut ends in ELLIPSIS, as wide as its bytes with ASCII and else one column.
 * Returns the columns used.
 */
unsigned label_add(struct buf *out, const char *p, size_t n, unsigned columns, const char *ellipsis);

/* The same, cut in the middle: both ends of a name tell. */
unsigned label_add_middle(struct buf *out, const char *p, size_t n, unsigned columns, const char *ellipsis);

/* The columns of it, uncut. */
unsigned label_width(const char *p, size_t n);

/* A span of time as a person says it: "38 us", "4.1 ms", "2.0 s", "3 min 5 s", "7 h 2 min", "3 d 4 h". */
void label_duration(struct buf *out, int64_t ns);

#endif
