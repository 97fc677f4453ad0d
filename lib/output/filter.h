/*
 * filter - which records are printed.  All records are merged, because a record
 * that is not printed still decides where the others stand.
 */
#ifndef OUTPUT_FILTER_H
#define OUTPUT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "record/regex.h"
#include "record/source.h"

struct filter {
	int64_t since_ns, until_ns;	/* UNTIL exclusive */
	int level;			/* no lesser one than this (format_level()); -1: any */
	struct regex *include, *exclude;	/* NULL for none */
};

#define FILTER_ALL	{ INT64_MIN, INT64_MAX, -1, NULL, NULL }

/* Does it leave anything out? */
bool filter_is_any(const struct filter *f);

/* TO is F for another thread: what it matched last is its own.  Release it before F. */
void filter_share(struct filter *to, const struct filter *f);
void filter_release(struct filter *f);

/* The same of a record whose fields are known; NULL where the format does not fit it. */
bool filter_passes(const struct filter *f, const struct record *r, const struct fields *fields);

/* FILTER is a struct filter.  A record without a level passes that test. */
bool filter_wants(struct source *s, const struct record *r, void *filter);

#endif
