/*
 * splitter - finds the ends of lines of a source, and the times in them.
 *
 * Shared by the files of record/source.h.  Reads more of the source where the
 * buffered bytes do not decide.
 */
#ifndef RECORD_SPLITTER_H
#define RECORD_SPLITTER_H

#include "record/source.h"

/* How long the line at CUR is; false: it is not at its end, but long enough for a piece.  The N bytes at CUR hold no end. */
bool splitter_line(struct source *s, size_t n, size_t *len);

/* Does the line that begins N bytes behind CUR begin a record?  Its time is then NEXT. */
bool splitter_begins(struct source *s, size_t n, struct stamp *next);

/* The time of the N bytes of P that begin a line, of which LINE are its own. */
bool splitter_time(struct source *s, const char *p, size_t n, size_t line, struct stamp *out);

/* The first time in the N bytes that the buffer begins with, where each line is a record. */
bool splitter_first_time(struct source *s, size_t n, struct stamp *out);

#endif
