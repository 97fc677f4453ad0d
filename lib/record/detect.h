/*
 * detect - which format the first lines of a log have.
 *
 * A format fits a line if the line matches it and what it calls a time is one.
 * At least a third of the lines must fit.  Of several formats the one with the
 * highest priority is taken, then the one that fits more lines.
 */
#ifndef RECORD_DETECT_H
#define RECORD_DETECT_H

#include "record/format.h"

struct detected {
	const struct format *fmt;	/* "auto" where none fits */
	int fits, tried;		/* records of the sample that fit, and all that were looked at */
	const struct format *second;	/* the next best, or NULL */
	int second_fits;
};

/* The format of the log that begins with the LEN bytes of TEXT. */
void detect_format(const struct formats *fs, const char *text, size_t len, struct detected *out);

/* How many records of TEXT fit FMT, out of *TRIED; ZONE is that of its times. */
int detect_fits(const struct format *fmt, const struct zone *zone, const char *text, size_t len, int *tried);

#endif
