#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/idmap.h"
#include "causal/sorter.h"

enum { RECENT = 4 };		/* runs to one of which a record may be appended */

static const uint32_t NONE = UINT32_MAX;

struct sorter_entry {
	int64_t t, off;
	const struct block *block;
	uint32_t index;			/* of the record in BLOCK */
	uint32_t next;			/* entry of the run, or of those that are free; or NONE */
};

struct sorter_run {
	uint64_t emitter;
	uint32_t first, last;		/* entries; FIRST is the next free run where it is free */
};

/* The first record of a run. */
struct sorter_head {
	int64_t t, off;
	uint32_t run;
};

struct sorter {
	bool emitters;
	struct idmap by_emitter;	/* number of the run plus 1; 0 for none */
	struct sorter_entry *v;
	struct sorter_run *runs;
	struct sorter_head *heap;
	size_t n, used, cap, n_runs, runs_cap, n_heap, heap_cap;
	uint32_t free, free_run;
	uint32_t recent[RECENT];	/* NONE, or a run that is not empty */
};

static bool
keep_run(uint64_t id, uint64_t value, void *cookie)
{
	(void)id;
	(void)cookie;
	return value != 0;
}

struct sorter *
sorter_new(bool emitters)
{
	struct sorter *s = xcalloc(1, sizeof *s);

	s->emitters = emitters;
	s->by_emitter.keep = keep_run;
	s->free = s->free_run = NONE;
	for (int i = 0; i < RECENT; i++)
		s->recent[i] = NONE;
	return s;
}

void
sorter_free(struct sorter *s)
{
	if (!s)
		return;
	idmap_release(&s->by_emitter);
	free(s->v);
	free(s->runs);
	free(s->heap);
	free(s);
}

size_t
sorter_count(const struct sorter *s)
{
	return s->n;
}

size_t
sorter_bytes(const struct sorter *s)
{
	return s->n * sizeof *s->v + s->n_heap * (sizeof *s->heap + sizeof *s->runs);
}

static bool
head_before(const struct sorter_head *a, const struct sorter_head *b)
{
	return a->t != b->t ? a->t < b->t : a->off < b->off;
}

static void
heap_rise(struct sorter *s, size_t i, struct sorter_head x)
{
	for (; i > 0 && head_before(&x, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = x;
}

/* X stands at the top, and sinks. */
static void
heap_sink(struct sorter *s, struct sorter_head x)
{
	size_t i = 0, child;

	while ((child = 2 * i + 1) < s->n_heap) {
		if (child + 1 < s->n_heap && head_before(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (!head_before(&s->heap[child], &x))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = x;
}

static uint32_t
entry_new(struct sorter *s, const struct block *b, size_t k)
{
	uint32_t i = s->free;

	if (i != NONE) {
		s->free = s->v[i].next;
	} else {
		s->v = xgrow(s->v, s->used, &s->cap, sizeof *s->v);
		i = (uint32_t)s->used++;
	}
	s->v[i] = (struct sorter_entry){ b->v[k].t, b->base + b->v[k].at, b, (uint32_t)k, NONE };
	s->n++;
	return i;
}

/* A run of the one entry I. */
static uint32_t
run_new(struct sorter *s, uint32_t i, uint64_t emitter)
{
	const struct sorter_entry *e = &s->v[i];
	uint32_t r = s->free_run;

	if (r != NONE) {
		s->free_run = s->runs[r].first;
	} else {
		s->runs = xgrow(s->runs, s->n_runs, &s->runs_cap, sizeof *s->runs);
		r = (uint32_t)s->n_runs++;
	}
	s->runs[r] = (struct sorter_run){ emitter, i, i };
	s->heap = xgrow(s->heap, s->n_heap, &s->heap_cap, sizeof *s->heap);
	s->n_heap++;
	heap_rise(s, s->n_heap - 1, (struct sorter_head){ e->t, e->off, r });
	return r;
}

static void
run_append(struct sorter *s, uint32_t r, uint32_t i)
{
	s->v[s->runs[r].last].next = i;
	s->runs[r].last = i;
}

bool
sorter_may_advance(const struct sorter *s, const struct block *b, size_t k, uint64_t emitter)
{
	const uint64_t *r = s->emitters ? idmap_find(&s->by_emitter, emitter) : NULL;
	const struct sorter_entry *last;

	if (!r || !*r)
		return false;
	last = &s->v[s->runs[*r - 1].last];
	return last->t > b->v[k].t && last->t - b->v[k].t < block_resolution(last->block, last->index);
}

static void
push_by_emitter(struct sorter *s, uint32_t i, uint64_t emitter)
{
	uint64_t *r = idmap_put(&s->by_emitter, emitter);

	if (*r)
		run_append(s, (uint32_t)*r - 1, i);
	else
		*r = (uint64_t)run_new(s, i, emitter) + 1;
}

/* To the run that was appended to last of those whose last record is not later. */
static void
push_by_time(struct sorter *s, uint32_t i)
{
	uint32_t r = NONE;
	int k;

	for (k = 0; k < RECENT - 1; k++)
		if (s->recent[k] != NONE && s->v[s->runs[s->recent[k]].last].t <= s->v[i].t)
			break;
	if (s->recent[k] != NONE && s->v[s->runs[s->recent[k]].last].t <= s->v[i].t) {
		r = s->recent[k];
		run_append(s, r, i);
	} else {
		r = run_new(s, i, 0);
	}
	for (; k > 0; k--)
		s->recent[k] = s->recent[k - 1];
	s->recent[0] = r;
}

void
sorter_push(struct sorter *s, const struct block *b, size_t k, uint64_t emitter)
{
	const uint32_t i = entry_new(s, b, k);

	if (s->emitters)
		push_by_emitter(s, i, emitter);
	else
		push_by_time(s, i);
}

bool
sorter_first(const struct sorter *s, const struct block **b, size_t *k)
{
	const struct sorter_entry *e;

	if (s->n == 0)
		return false;
	e = &s->v[s->runs[s->heap[0].run].first];
	*b = e->block;
	*k = e->index;
	return true;
}

static void
run_end(struct sorter *s, uint32_t r)
{
	struct sorter_head last = s->heap[--s->n_heap];

	if (s->n_heap)
		heap_sink(s, last);
	if (s->emitters)
		*idmap_find(&s->by_emitter, s->runs[r].emitter) = 0;
	for (int k = 0; k < RECENT; k++)
		if (s->recent[k] == r)
			s->recent[k] = NONE;
	s->runs[r].first = s->free_run;
	s->free_run = r;
}

void
sorter_pop(struct sorter *s)
{
	const uint32_t r = s->heap[0].run, i = s->runs[r].first, next = s->v[i].next;

	if (next == NONE) {
		run_end(s, r);
	} else {
		s->runs[r].first = next;
		if (s->v[next].next != NONE)
			__builtin_prefetch(&s->v[s->v[next].next]);
		heap_sink(s, (struct sorter_head){ s->v[next].t, s->v[next].off, r });
	}
	s->v[i].next = s->free;
	s->free = i;
	s->n--;
}
