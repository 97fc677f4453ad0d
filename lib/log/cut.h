/*
 * cut - where the record of a source that begins at CUR ends.
 *
 * Shared by the files of log/source.h.  What is needed beyond the bytes that
 * are held is read.
 */
#ifndef LOG_CUT_H
#define LOG_CUT_H

#include "log/source.h"

/* How long the record is; false: it is not at its end, but long enough for a piece. */
bool cut_record(struct source *s, size_t *len);

/* The same of the rest of a record that is longer than a piece. */
bool cut_rest(struct source *s, size_t *len);

/* The same of one line; the N bytes at CUR are known to hold no end. */
bool cut_line(struct source *s, size_t n, size_t *len);

/* Does the line that begins N bytes behind CUR begin a record?  Its time is then NEXT. */
bool cut_begins(struct source *s, size_t n, struct stamp *next);

/* The time of the N bytes of P that begin a line, of which LINE are its own. */
bool cut_time(struct source *s, const char *p, size_t n, size_t line, struct stamp *out);

/* More bytes behind HI; false at the end.  (source.c) */
bool source_fill(struct source *s);

/* The first time in the N bytes that the buffer begins with, where each line is a record. */
bool cut_first_time(struct source *s, size_t n, struct stamp *out);

#endif
