#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "learn/candidate.h"

/* What is counted of a slot: values, and records with them. */
struct slot_count {
	int64_t values, records;
};

/* Pairs of slots, by the hash of both. */
struct pair_table {
	uint32_t *at;			/* number of the candidate, from 1 on; 0: free */
	size_t cap;
	struct candidates *c;
};

/* The occurrences of one value in one slot. */
struct group {
	uint32_t slot;
	int first, n;			/* among those of the value */
	uint16_t source;
	bool one_source;
};

static int
by_slot(const void *a, const void *b)
{
	const struct occurrence *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->record > y->record) - (x->record < y->record);
}

/* The slots of a value, of which V has N occurrences, sorted by slot. */
static unsigned
groups_of(struct occurrence *v, int n, struct group *g)
{
	unsigned k = 0;

	if (n > 0)
		qsort(v, (size_t)n, sizeof *v, by_slot);
	for (int i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && v[j].slot == v[i].slot; j++)
			;
		if (k == CANDIDATE_SLOTS)
			return 0;
		g[k++] = (struct group){ v[i].slot, i, j - i, v[i].source, v[i].source == v[j - 1].source };
	}
	return k;
}

static struct candidate *
pair_put(struct pair_table *t, uint32_t x, uint32_t y)
{
	struct candidates *c = t->c;
	const uint64_t id = (uint64_t)x << 32 | y;
	size_t i;

	if ((c->n + 1) * 2 > t->cap) {
		t->cap = t->cap ? t->cap * 2 : 4096;
		t->at = xrealloc(t->at, t->cap, sizeof *t->at);
		memset(t->at, 0, t->cap * sizeof *t->at);
		for (size_t k = 0; k < c->n; k++) {
			const uint64_t known = (uint64_t)c->v[k].x << 32 | c->v[k].y;

			for (i = template_hash(3, (const char *)&known, sizeof known) & (t->cap - 1); t->at[i]; i = (i + 1) & (t->cap - 1))
				;
			t->at[i] = (uint32_t)k + 1;
		}
	}
	for (i = template_hash(3, (const char *)&id, sizeof id) & (t->cap - 1); t->at[i]; i = (i + 1) & (t->cap - 1)) {
		struct candidate *p = &c->v[t->at[i] - 1];

		if (p->x == x && p->y == y)
			return p;
	}
	if (c->n == CANDIDATES_MAX)
		return NULL;
	c->v = xgrow(c->v, c->n, &c->cap, sizeof *c->v);
	c->v[c->n] = (struct candidate){ .x = x, .y = y };
	t->at[i] = (uint32_t)++c->n;
	return &c->v[c->n - 1];
}

/* Is there anything to learn of the two: in two sources, or their order in one? */
static bool
is_pair(const struct templates *t, const struct group *a, const struct group *b)
{
	return templates_kind_of(t, a->slot) != templates_kind_of(t, b->slot);
}

static void
count_pairs(struct pair_table *p, const struct templates *t, const struct group *g, unsigned k)
{
	for (unsigned i = 0; i < k; i++)
		for (unsigned j = i + 1; j < k; j++) {
			struct candidate *c = is_pair(t, &g[i], &g[j]) ? pair_put(p, g[i].slot, g[j].slot) : NULL;

			if (!c)
				continue;
			c->values++;
			c->even += g[i].n == g[j].n;
			c->recurs |= g[i].n > 1 && g[j].n > 1;
		}
}

static bool
candidate_settle(struct candidate *c, const struct slot_count *count)
{
	const struct slot_count *x = &count[c->x], *y = &count[c->y];
	const int64_t fewer = x->values < y->values ? x->values : y->values;

	c->coverage = fewer ? c->values * 100 / fewer : 0;
	c->unique_x = x->values * 100 >= x->records * 95;
	c->unique_y = y->values * 100 >= y->records * 95;
	c->nth = c->even * 10 >= c->values * 9;
	return (c->values >= CANDIDATE_VALUES || (c->recurs && c->values >= 1)) && c->coverage >= CANDIDATE_COVERAGE &&
	    (c->nth || c->unique_x || c->unique_y);
}

static void
add_instance(struct candidate *c, const struct occurrence *x, const struct occurrence *y, uint32_t value)
{
	c->number |= x->number;
	if (x->source == y->source) {
		c->same++;
		c->same_forward += x->record < y->record;
		return;
	}
	if (c->n == CANDIDATE_INSTANCES)
		return;
	c->v = xgrow(c->v, c->n, &c->cap, sizeof *c->v);
	c->v[c->n++] = (struct link_instance){ x->t, y->t, x->source, y->source, x->low, value, x->record, y->record };
}

static void
add_instances(struct candidate *c, const struct occurrence *v, const struct group *x, const struct group *y,
    uint32_t value)
{
	if (x->n == y->n && c->nth && (x->n == 1 || (x->one_source && y->one_source))) {
		for (int i = 0; i < x->n; i++)
			add_instance(c, &v[x->first + i], &v[y->first + i], value);
	} else if (c->unique_x && x->n == 1) {
		for (int i = 0; i < y->n; i++)
			add_instance(c, &v[x->first], &v[y->first + i], value);
	} else if (c->unique_y && y->n == 1) {
		for (int i = 0; i < x->n; i++)
			add_instance(c, &v[x->first + i], &v[y->first], value);
	}
}

static void
find_instances(struct pair_table *p, const struct templates *t, const struct occurrence *v, const struct group *g, unsigned k,
    const bool *good, uint32_t value)
{
	for (unsigned i = 0; i < k; i++)
		for (unsigned j = i + 1; j < k; j++) {
			struct candidate *c = is_pair(t, &g[i], &g[j]) ? pair_put(p, g[i].slot, g[j].slot) : NULL;

			if (c && good[c - p->c->v])
				add_instances(c, v, &g[i], &g[j], value);
		}
}

static int
by_slots(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->x != y->x)
		return x->x < y->x ? -1 : 1;
	return (x->y > y->y) - (x->y < y->y);
}

void
candidates_find(struct candidates *c, const struct occurrences *o, const struct templates *t)
{
	struct slot_count *count = xcalloc((size_t)templates_slots(t) + 1, sizeof *count);
	struct occurrence *v = xcalloc(OCCURRENCES_OF_VALUE, sizeof *v);
	struct pair_table p = { .c = c };
	struct group g[CANDIDATE_SLOTS];
	bool *good;
	size_t kept = 0;
	int n;

	*c = (struct candidates){ .v = NULL };
	for (size_t i = 0; (n = occurrences_of(o, i, v)) >= 0; i++) {
		unsigned k = groups_of(v, n, g);

		for (unsigned j = 0; j < k; j++) {
			count[g[j].slot].values++;
			count[g[j].slot].records += g[j].n;
		}
		count_pairs(&p, t, g, k);
	}
	good = xcalloc(c->n + 1, sizeof *good);
	for (size_t i = 0; i < c->n; i++)
		good[i] = candidate_settle(&c->v[i], count);
	for (size_t i = 0; (n = occurrences_of(o, i, v)) >= 0; i++)
		find_instances(&p, t, v, g, groups_of(v, n, g), good, (uint32_t)i);
	for (size_t i = 0; i < c->n; i++)
		if (good[i])
			c->v[kept++] = c->v[i];
	c->n = kept;
	if (c->n > 0)
		qsort(c->v, c->n, sizeof *c->v, by_slots);
	free(good);
	free(count);
	free(v);
	free(p.at);
}

void
candidates_release(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].v);
	free(c->v);
	*c = (struct candidates){ .v = NULL };
}
