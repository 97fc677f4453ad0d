#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/refutation.h"

struct refutation {
	int64_t pairs, against;		/* of the window so far */
	bool refuted;
};

struct refutations {
	const struct rules *rules;
	struct refutation *v;		/* by rule */
	bool any;			/* is refuted */
};

struct refutations *
refutations_new(const struct rules *rules)
{
	struct refutations *x = xcalloc(1, sizeof *x);

	x->rules = rules;
	x->v = xcalloc(rules->n + 1, sizeof *x->v);
	return x;
}

void
refutations_free(struct refutations *x)
{
	if (x)
		free(x->v);
	free(x);
}

/* What is counted of RULE; NULL where it is not learned. */
static struct refutation *
refutation_of(const struct refutations *x, uint16_t rule)
{
	return rule < x->rules->n && x->rules->v[rule].learned ? &x->v[rule] : NULL;
}

void
refutations_follow(struct refutations *x, uint16_t rule)
{
	struct refutation *r = refutation_of(x, rule);

	if (r && ++r->pairs >= REFUTATION_WINDOW)
		r->pairs = r->against = 0;
}

bool
refutations_drop(struct refutations *x, uint16_t rule, int64_t *pairs, int64_t *against)
{
	struct refutation *r = refutation_of(x, rule);

	if (!r || r->refuted || ++r->against * 100 <= REFUTATION_WINDOW * REFUTATION_SHARE)
		return false;
	r->refuted = x->any = true;
	*against = r->against;
	*pairs = r->pairs > r->against ? r->pairs : r->against;
	return true;
}

bool
refutations_has(const struct refutations *x, uint16_t rule)
{
	const struct refutation *r = x->any ? refutation_of(x, rule) : NULL;

	return r && r->refuted;
}
