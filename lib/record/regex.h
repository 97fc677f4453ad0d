/*
 * regex - regular expressions with named groups, by PCRE2 (and its JIT).
 *
 * They are matched against bytes, not characters: a log may hold any.  "^" and
 * "$" are the ends of the text.  A match that takes too long is no match.
 */
#ifndef RECORD_REGEX_H
#define RECORD_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"

struct regex;

/* A piece of text, borrowed; P is NULL where there is none. */
struct span {
	const char *p;
	size_t n;
};

/* NULL with F filled (EXIT_USAGE) where it does not compile; WHERE stands before the reason. */
struct regex *regex_new(const char *where, const char *pattern, struct fail *f);
void regex_free(struct regex *x);

/* X for another thread: what it matched last is its own.  Free it before X. */
struct regex *regex_share(const struct regex *x);

bool regex_match(struct regex *x, const char *p, size_t n);

/* The number of the group NAME, -1 where X has none. */
int regex_group(const struct regex *x, const char *name);

/* What group I matched in the last regex_match() that did; 0 is the whole. */
struct span regex_span(const struct regex *x, int i, const char *p);

#endif
