#include <stdlib.h>

#include "base/xalloc.h"
#include "learn/occurrences.h"

struct value {
	uint64_t hash;		/* 0: free */
	uint32_t first, last, n;
};

struct occurrences {
	size_t max;		/* occurrences that there is room for */
	unsigned level;
	struct value *v;
	size_t cap, n;
	struct occurrence *pool;
	size_t used, pool_cap;
	uint32_t free;		/* list of those that were dropped; UINT32_MAX for none */
	size_t live;
};

struct occurrences *
occurrences_new(size_t bytes)
{
	struct occurrences *o = xcalloc(1, sizeof *o);

	/* An occurrence, and a value for half of them in a table that is half full. */
	o->max = bytes / (sizeof(struct occurrence) + 2 * sizeof(struct value));
	o->free = UINT32_MAX;
	return o;
}

void
occurrences_free(struct occurrences *o)
{
	if (!o)
		return;
	free(o->v);
	free(o->pool);
	free(o);
}

static struct value *
slot_of(const struct occurrences *o, uint64_t hash)
{
	size_t i = (hash >> 20) & (o->cap - 1);

	while (o->v[i].hash && o->v[i].hash != hash)
		i = (i + 1) & (o->cap - 1);
	return &o->v[i];
}

/* The hash bits from the lowest on say which sample a value is in. */
static bool
is_sampled(const struct occurrences *o, uint64_t hash)
{
	return (hash & ((UINT64_C(1) << o->level) - 1)) == 0;
}

static void
drop_occurrences(struct occurrences *o, struct value *x)
{
	if (x->first == UINT32_MAX)
		return;
	for (uint32_t i = x->first;; i = o->pool[i].next) {
		o->live--;
		if (i == x->last)
			break;
	}
	o->pool[x->last].next = o->free;
	o->free = x->first;
	x->first = x->last = UINT32_MAX;
}

/* A table of CAP for the values of the sample. */
static void
rebuild_values(struct occurrences *o, size_t cap)
{
	struct value *old = o->v;
	const size_t old_cap = o->cap;

	o->v = xcalloc(cap, sizeof *o->v);
	o->cap = cap;
	o->n = 0;
	for (size_t i = 0; i < old_cap; i++) {
		if (old[i].hash && !is_sampled(o, old[i].hash))
			drop_occurrences(o, &old[i]);
		else if (old[i].hash) {
			*slot_of(o, old[i].hash) = old[i];
			o->n++;
		}
	}
	free(old);
}

static struct value *
value_put(struct occurrences *o, uint64_t hash)
{
	struct value *x;

	if ((o->n + 1) * 2 > o->cap)
		rebuild_values(o, o->cap ? o->cap * 2 : 4096);
	x = slot_of(o, hash);
	if (!x->hash) {
		*x = (struct value){ hash, UINT32_MAX, UINT32_MAX, 0 };
		o->n++;
	}
	return x;
}

static uint32_t
occurrence_new(struct occurrences *o)
{
	uint32_t i = o->free;

	if (i != UINT32_MAX) {
		o->free = o->pool[i].next;
		return i;
	}
	o->pool = xgrow(o->pool, o->used, &o->pool_cap, sizeof *o->pool);
	return (uint32_t)o->used++;
}

void
occurrences_add(struct occurrences *o, uint64_t hash, const struct occurrence *x)
{
	struct value *v;
	uint32_t i;

	if (!is_sampled(o, hash))
		return;
	while (o->live >= o->max && o->level < 40) {
		o->level++;
		rebuild_values(o, o->cap);
		if (!is_sampled(o, hash))
			return;
	}
	v = value_put(o, hash);
	if (++v->n > OCCURRENCES_OF_VALUE) {
		drop_occurrences(o, v);
		return;
	}
	i = occurrence_new(o);
	o->pool[i] = *x;
	o->pool[i].next = UINT32_MAX;
	if (v->first == UINT32_MAX)
		v->first = i;
	else
		o->pool[v->last].next = i;
	v->last = i;
	o->live++;
}

unsigned
occurrences_level(const struct occurrences *o)
{
	return o->level;
}

size_t
occurrences_bytes(const struct occurrences *o)
{
	return o->cap * sizeof *o->v + o->pool_cap * sizeof *o->pool;
}

static int
by_source(const void *a, const void *b)
{
	const struct occurrence *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->record > y->record) - (x->record < y->record);
}

int
occurrences_of(const struct occurrences *o, size_t k, struct occurrence *out)
{
	int n = 0;

	if (k >= o->cap)
		return -1;
	if (!o->v[k].hash || o->v[k].first == UINT32_MAX)
		return 0;
	for (uint32_t i = o->v[k].first; i != UINT32_MAX; i = o->pool[i].next) {
		out[n++] = o->pool[i];
		if (i == o->v[k].last)
			break;
	}
	if (n > 0)
		qsort(out, (size_t)n, sizeof *out, by_source);
	return n;
}
