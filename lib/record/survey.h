/*
 * survey - how a source was understood, by its first bytes.
 */
#ifndef RECORD_SURVEY_H
#define RECORD_SURVEY_H

#include "record/source.h"

enum { SURVEY_BYTES = 4 << 20 };	/* enough for most sources */

struct survey {
	int64_t bytes, records;
	int64_t untimed;		/* records without a time of their own */
	int64_t kinds[TIME_KINDS];	/* records by the kind of their time */
	bool whole;			/* all of the source was read */
	bool by_zone;			/* some time named no zone: the zone of the source was used */
};

/* Read at most MAX bytes of S, a source that was just opened. */
void survey_run(struct source *s, int64_t max, struct survey *out);

/* The kind of most times; TIME_NONE for none. */
enum time_kind survey_kind(const struct survey *v);

/* The fits of its format less those of the second best, in percent of what was tried; -1 where a format was named. */
int survey_margin(const struct source *s);

#endif
