/*
 * linker - what a record is made of where lines alone do not tell.
 *
 * Parts: a container runtime splits a long line of a process into parts (CRI "P"
 * ... "F"; docker's "log" without a newline).  The parts of one stream are one
 * record, at the time of the first.  Lines of the other stream that stand between
 * them follow the record; in a source that is followed they stay between, within
 * the record, because a position in the file must divide what is out from what is
 * not.  A part whose end is not found within RECORD_MAX bytes or PARTS_MAX lines
 * ends its record, which is then marked partial.
 *
 * Groups of lines: a record of LINES lines ends where the next lines look like a
 * record again, so a line too many or too few shifts nothing.
 *
 * Shared by the files of record/source.h.
 */
#ifndef RECORD_LINKER_H
#define RECORD_LINKER_H

#include "base/buf.h"
#include "record/source.h"

/*
 * The line of *LEN bytes at CUR is a record unless it is a part: then *LEN becomes
 * the length of all parts.  Bytes behind CUR may have been put into another order.
 * Sets S->partial.
 */
void linker_join_parts(struct source *s, size_t *len);

/*
 * The text of a record of parts, N bytes at P, without what the runtime put around
 * them, appended to OUT; false where the record is one line.
 */
bool linker_join_text(const struct source *s, const char *p, size_t n, struct buf *out);

/* How long the record at CUR is; false: it is not at its end, but long enough for a piece. */
bool linker_record(struct source *s, size_t *len);

/* The same of the rest of a record that is longer than a piece. */
bool linker_rest(struct source *s, size_t *len);

/* The end of a group of lines that begins at CUR; false: it is long enough for a piece. */
bool linker_end_of_lines(struct source *s, size_t *len);

#endif
