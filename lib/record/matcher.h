/*
 * matcher - the constraints that the rules find in a source's records.
 *
 * The literal that a rule's pattern begins with is searched for in all bytes
 * read so far at once, not record by record: a record without the literal costs
 * nothing.  Every source, and every view of a source, has a matcher of its own,
 * so several threads can match at the same time.
 */
#ifndef RECORD_MATCHER_H
#define RECORD_MATCHER_H

#include <stdbool.h>

#include "record/rule.h"

struct matcher;

/* For the rules of RS, which must outlive it, that USED marks. */
struct matcher *matcher_new(const struct rules *rs, const bool *used);
void matcher_free(struct matcher *f);

/* The bytes of the source that were read are not where they were. */
void matcher_reset(struct matcher *f);

/* Append the constraints of R, the last record read from S, to OUT. */
void matcher_constraints(struct matcher *f, const struct source *s, const struct record *r, struct constraints *out);

/* The same for a record of S whose bytes are TEXT; TEXT need not be in the buffer of S. */
void matcher_text_constraints(struct matcher *f, const struct source *s, struct span text, struct constraints *out);

/* The text in TEXT that rule number RULE makes ID of; P is NULL for none. */
struct span matcher_id(struct matcher *f, const struct source *s, struct span text, unsigned rule, uint64_t id);

/* The record without the end of its last line. */
static inline struct span
record_text(const struct record *r)
{
	struct span text = { r->p, r->n };

	while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	return text;
}

#endif
