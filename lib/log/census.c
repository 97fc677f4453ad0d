#include <pthread.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "log/census.h"
#include "log/ids.h"
#include "log/order.h"
#include "log/skew.h"

/*
 * The value of an id: whether it is sent and needed, by which source first, and
 * when, in microseconds from a year before the first time of all.
 */
enum { SENT = 1, NEEDED = 2, SOURCE_SHIFT = 2, SOURCE_BITS = 14, TIME_SHIFT = 16 };

enum {
	BATCH = 4096,		/* ends of messages that are handed over at once */
	AHEAD = 16,		/* so many places are on their way from memory */
};

struct census {
	struct ids sent;
	struct skew *skew;
	int64_t noise_ns, zero_ns;
};

/* One end of a message. */
struct end {
	uint64_t id;
	int64_t t, res;
	bool sends, timed;
};

struct batch {
	struct end v[BATCH];
	size_t n;
	bool full, last;	/* LAST: its source is read to the end */
};

/* Who reads a source, and hands over one batch while it fills the other. */
struct reader {
	struct source *source;
	const struct rules *rules;
	bool *used;
	bool any, clock;	/* is there anything to look for */
	struct edges edges;	/* of RECORD; those before NEXT are in a batch */
	size_t next;
	struct record record;
	struct batch batch[2];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

static int64_t
time_of(const struct census *s, uint64_t value)
{
	return s->zero_ns + (int64_t)(value >> TIME_SHIFT) * 1000;
}

static void
note(struct census *s, const struct end *e, unsigned i)
{
	uint64_t *slot = ids_put(&s->sent, e->id), old = *slot;
	int64_t us = (e->t - s->zero_ns) / 1000;
	unsigned other = old >> SOURCE_SHIFT & ((1 << SOURCE_BITS) - 1);

	if (old == 0)
		*slot = (uint64_t)(us < 0 ? 0 : us) << TIME_SHIFT | (uint64_t)(i & ((1 << SOURCE_BITS) - 1)) << SOURCE_SHIFT;
	*slot |= e->sends ? SENT : NEEDED;
	/* The other end of it was seen first, and only it. */
	if (!s->skew || !e->timed || (old & (SENT | NEEDED)) != (e->sends ? NEEDED : SENT))
		return;
	if (e->sends)
		skew_add(s->skew, i, other, e->t, time_of(s, old), e->res);
	else
		skew_add(s->skew, other, i, time_of(s, old), e->t, e->res);
}

static void
note_batch(struct census *s, const struct batch *b, unsigned i)
{
	if (s->zero_ns == 0 && b->n)
		s->zero_ns = b->v[0].t - INT64_C(86400000000000) * 366;
	for (size_t k = 0; k < b->n; k++) {
		if (k + AHEAD < b->n)
			ids_prefetch(&s->sent, b->v[k + AHEAD].id);
		note(s, &b->v[k], i);
	}
}

/* The next record with edges; false at the end. */
static bool
next_record(struct reader *r)
{
	struct fields fields;

	r->edges.n = r->next = 0;
	while (r->edges.n == 0) {
		struct span text;

		if (!(r->any || r->clock) || source_next(r->source, &r->record) == 0)
			return false;
		text = (struct span){ r->record.p, r->record.n };
		while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
			text.n--;
		if (r->any)
			rule_edges(r->rules, r->used, r->source, text, &r->edges);
		if (r->clock && format_fields(r->source->fmt, r->record.p, r->record.n, &fields))
			rule_clocks(r->source, &fields, &r->edges);
	}
	return true;
}

static void
fill(struct reader *r, struct batch *b)
{
	b->n = 0;
	b->last = false;
	while (b->n < BATCH) {
		const struct edge *x;
		bool clock;

		if (r->next == r->edges.n && !next_record(r)) {
			b->last = true;
			return;
		}
		x = &r->edges.v[r->next++];
		clock = x->what == EDGE_TICK || x->what == EDGE_SEEN;
		if (x->what <= EDGE_SEEN)
			b->v[b->n++] = (struct end){ clock ? rule_tick_id(x->id, x->n) : x->id, r->record.t, r->record.res,
			    x->what == EDGE_SEND || x->what == EDGE_TICK, !clock && !r->record.inherited };
	}
}

static void *
read_ahead(void *cookie)
{
	struct reader *r = cookie;

	for (int k = 0;; k ^= 1) {
		struct batch *b = &r->batch[k];

		pthread_mutex_lock(&r->lock);
		while (b->full)
			pthread_cond_wait(&r->changed, &r->lock);
		pthread_mutex_unlock(&r->lock);
		fill(r, b);
		pthread_mutex_lock(&r->lock);
		b->full = true;
		pthread_cond_signal(&r->changed);
		pthread_mutex_unlock(&r->lock);
		if (b->last)
			return NULL;
	}
}

static void
begin(struct reader *r, struct source *source, const struct rules *rules)
{
	r->source = source;
	r->rules = rules;
	r->used = order_rules_for(rules, source, &r->any);
	r->clock = source->fmt->group[FIELD_CLOCK] >= 0;
	r->edges.n = r->next = 0;
	r->batch[0].full = r->batch[1].full = false;
}

static void
finish_reading(struct reader *r)
{
	source_rewind(r->source);
	free(r->used);
	r->used = NULL;
}

/* Can several threads read at once?  Not where the same regular expression would be used by two. */
static bool
is_shareable(struct source **v, unsigned n, const struct rules *rules)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i]->fmt->where >= WHERE_REGEX || v[i]->fmt->group[FIELD_CLOCK] >= 0)
			return false;
	for (size_t i = 0; i < rules->n; i++)
		if (!rule_is_shareable(&rules->v[i]))
			return false;
	return true;
}

/* Sources FIRST to LAST at once; batches are taken in turns, so that what comes of it is always the same. */
static void
read_together(struct census *s, struct reader *readers, struct source **v, unsigned first, unsigned last,
    const struct rules *rules)
{
	unsigned open = last - first;

	for (unsigned i = first; i < last; i++) {
		begin(&readers[i - first], v[i], rules);
		if (pthread_create(&readers[i - first].thread, NULL, read_ahead, &readers[i - first]) != 0)
			abort();
	}
	for (int k = 0; open > 0; k ^= 1)
		for (unsigned i = first; i < last; i++) {
			struct reader *r = &readers[i - first];
			struct batch *b = &r->batch[k];

			if (!r->used)
				continue;
			pthread_mutex_lock(&r->lock);
			while (!b->full)
				pthread_cond_wait(&r->changed, &r->lock);
			pthread_mutex_unlock(&r->lock);
			note_batch(s, b, i);
			if (b->last) {
				pthread_join(r->thread, NULL);
				finish_reading(r);
				open--;
				continue;
			}
			pthread_mutex_lock(&r->lock);
			b->full = false;
			pthread_cond_signal(&r->changed);
			pthread_mutex_unlock(&r->lock);
		}
}

static void
read_alone(struct census *s, struct reader *r, struct source *source, unsigned i, const struct rules *rules)
{
	begin(r, source, rules);
	do {
		fill(r, &r->batch[0]);
		note_batch(s, &r->batch[0], i);
	} while (!r->batch[0].last);
	finish_reading(r);
}

/* Whom somebody sends and somebody needs; the others are told from these by not being here. */
static bool
is_matched(uint64_t value, void *cookie)
{
	(void)cookie;
	return (value & (SENT | NEEDED)) == (SENT | NEEDED);
}

struct census *
census_run(struct source **v, unsigned n, const struct rules *rules, unsigned threads, int64_t *offsets)
{
	struct census *s = xcalloc(1, sizeof *s);
	unsigned at_once = threads > 1 && is_shareable(v, n, rules) ? threads : 1;
	struct reader *readers = xcalloc(at_once, sizeof *readers);

	s->skew = offsets ? skew_new(n) : NULL;
	for (unsigned i = 0; i < at_once; i++) {
		pthread_mutex_init(&readers[i].lock, NULL);
		pthread_cond_init(&readers[i].changed, NULL);
	}
	for (unsigned i = 0; i < n; i += at_once) {
		if (at_once > 1)
			read_together(s, readers, v, i, i + at_once < n ? i + at_once : n, rules);
		else
			read_alone(s, readers, v[i], i, rules);
	}
	if (s->skew)
		s->noise_ns = skew_estimate(s->skew, offsets);
	skew_free(s->skew);
	s->skew = NULL;
	for (unsigned i = 0; i < at_once; i++)
		free(readers[i].edges.v);
	free(readers);
	s->sent.keep = is_matched;
	ids_shrink(&s->sent);
	return s;
}

void
census_free(struct census *s)
{
	if (s) {
		ids_release(&s->sent);
		free(s);
	}
}

bool
census_is_matched(const struct census *s, uint64_t id)
{
	return ids_find(&s->sent, id) != NULL;
}

void
census_prefetch(const struct census *s, uint64_t id)
{
	ids_prefetch(&s->sent, id);
}

int64_t
census_noise(const struct census *s)
{
	return s->noise_ns;
}
