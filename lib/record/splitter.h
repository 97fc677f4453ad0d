/*
 * splitter - finds the end of the record of a source that begins at CUR.
 *
 * Shared by the files of record/source.h.  Reads more of the source where the
 * buffered bytes do not decide.
 */
#ifndef RECORD_SPLITTER_H
#define RECORD_SPLITTER_H

#include "record/source.h"

/* How long the record is; false: it is not at its end, but long enough for a piece. */
bool splitter_record(struct source *s, size_t *len);

/* The same of the rest of a record that is longer than a piece. */
bool splitter_rest(struct source *s, size_t *len);

/* The same of one line; the N bytes at CUR are known to hold no end. */
bool splitter_line(struct source *s, size_t n, size_t *len);

/* Does the line that begins N bytes behind CUR begin a record?  Its time is then NEXT. */
bool splitter_begins(struct source *s, size_t n, struct stamp *next);

/* The time of the N bytes of P that begin a line, of which LINE are its own. */
bool splitter_time(struct source *s, const char *p, size_t n, size_t line, struct stamp *out);

/* More bytes behind HI; false at the end.  (source.c) */
bool source_fill(struct source *s);

/* The first time in the N bytes that the buffer begins with, where each line is a record. */
bool splitter_first_time(struct source *s, size_t n, struct stamp *out);

#endif
