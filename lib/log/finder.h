/*
 * finder - looks for the edges of a source's records.
 *
 * What a rule's pattern begins with is looked for in all that has been read of
 * the source, in one go, and not in one record after the other: a record that
 * does not hold it costs nothing.  Every source, and every view of one, has a
 * finder of its own, so that several threads can look at once.
 */
#ifndef LOG_FINDER_H
#define LOG_FINDER_H

#include <stdbool.h>

#include "log/rule.h"

struct finder;

/* For the rules of RS, which must outlive it, that USED marks. */
struct finder *finder_new(const struct rules *rs, const bool *used);
void finder_free(struct finder *f);

/* What R, the last record read of S, is part of, added to OUT. */
void finder_edges(struct finder *f, const struct source *s, const struct record *r, struct edges *out);

/* The same of a record of S whose bytes are TEXT, wherever they are. */
void finder_text_edges(struct finder *f, const struct source *s, struct span text, struct edges *out);

/* The text in TEXT that rule number RULE makes ID of; P is NULL for none. */
struct span finder_id(struct finder *f, const struct source *s, struct span text, unsigned rule, uint64_t id);

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
