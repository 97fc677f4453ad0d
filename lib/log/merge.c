#include <stdlib.h>

#include "base/xalloc.h"
#include "log/merge.h"

#define ENDED	INT64_MAX	/* the key of a source that has no more */

enum { RANGE = 1 << 14 };	/* records that are looked at at once */

/*
 * A tournament of losers: LOSER[i] lost the match at node i, the winner is
 * known.  KEY is that of each source's record; equal ones go by number, which
 * is the rank.
 */
struct merge {
	struct source **v;
	struct record *head;
	int64_t *key;
	unsigned *loser;
	unsigned size;		/* a power of two, at least the number of sources */
};

static void
advance(struct merge *m, unsigned i, unsigned n)
{
	if (i >= n || source_next(m->v[i], &m->head[i]) == 0)
		m->key[i] = ENDED;
	else
		m->key[i] = m->head[i].t;
}

static bool
before(const struct merge *m, unsigned a, unsigned b)
{
	return m->key[a] < m->key[b] || (m->key[a] == m->key[b] && a < b);
}

static unsigned
start(struct merge *m, struct source **v, unsigned n)
{
	unsigned *winner, top;

	m->v = v;
	for (m->size = 1; m->size < n; m->size *= 2)
		;
	m->head = xcalloc(m->size, sizeof *m->head);
	m->key = xcalloc(m->size, sizeof *m->key);
	m->loser = xcalloc(m->size, sizeof *m->loser);
	winner = xcalloc(2 * m->size, sizeof *winner);
	for (unsigned i = 0; i < m->size; i++) {
		advance(m, i, n);
		winner[m->size + i] = i;
	}
	for (unsigned i = m->size - 1; i > 0; i--) {
		unsigned a = winner[2 * i], b = winner[2 * i + 1];
		bool first = before(m, a, b);

		winner[i] = first ? a : b;
		m->loser[i] = first ? b : a;
	}
	top = winner[1];
	free(winner);
	return top;
}

static void
release(struct merge *m)
{
	free(m->head);
	free(m->key);
	free(m->loser);
}

/* The winner after TOP's key has changed; written so that it compiles without branches. */
static inline unsigned
replay(struct merge *m, unsigned top)
{
	const int64_t *key = m->key;
	unsigned *loser = m->loser;
	int64_t k = key[top];

	for (unsigned i = (m->size + top) / 2; i > 0; i /= 2) {
		unsigned o = loser[i];
		int64_t ko = key[o];
		unsigned swap = (unsigned)(ko < k) | ((unsigned)(ko == k) & (unsigned)(o < top));
		unsigned mask = 0 - swap, x = (o ^ top) & mask;

		loser[i] = o ^ x;
		top ^= x;
		k = swap ? ko : k;
	}
	return top;
}

static inline void
put(struct render *out, struct source *s, const struct record *r)
{
	const char *p = r->p;
	size_t n = r->n;

	if (out->style) {
		render_record(out, s, &(struct shown){ .source = s, .record = r });
		return;
	}
	render_bytes(out, p, n, false);
	while (r->more && source_rest(s, &p, &n))
		render_bytes(out, p, n, true);
}

bool
merge_range(struct source **v, unsigned n, int64_t limit, const struct merge_watch *watch,
    struct ledger *l, struct filter *filter, struct render *out, struct merge_count *count)
{
	bool silent = watch && watch->silent, good;
	int64_t newest = INT64_MIN, inherited = 0;
	struct merge m;
	unsigned top = start(&m, v, n);

	while (m.key[top] < limit && out->w.error == 0) {
		if (watch)
			watch->each(v[top], &m.head[top], l, watch->cookie);
		if (!filter || filter_wants(v[top], &m.head[top], filter)) {
			if (!silent)
				put(out, v[top], &m.head[top]);
			count->records++;
		}
		inherited += m.head[top].inherited;
		if (m.key[top] > newest)
			newest = m.key[top];
		advance(&m, top, n);
		top = replay(&m, top);
	}
	count->inherited += inherited;
	count->newest_ns = newest;
	good = m.key[top] == ENDED || out->w.error;
	release(&m);
	return good;
}

void
merge_watched(struct source **v, unsigned n, const struct merge_watch *watch)
{
	struct ledger l = { .newest_ns = INT64_MIN };
	unsigned top, records = 0;
	bool more = true;
	struct merge m;

	ledger_clear(&l);
	top = start(&m, v, n);
	while (more && m.key[top] != ENDED) {
		watch->each(v[top], &m.head[top], &l, watch->cookie);
		if (m.key[top] > l.newest_ns)
			l.newest_ns = m.key[top];
		if (++records % RANGE == 0) {
			more = watch->accept(&l, watch->cookie);
			ledger_clear(&l);
		}
		advance(&m, top, n);
		top = replay(&m, top);
	}
	if (more)
		watch->accept(&l, watch->cookie);
	ledger_release(&l);
	release(&m);
}

void
merge_run(struct source **v, unsigned n, struct filter *filter, struct render *out, struct merge_count *count)
{
	merge_range(v, n, ENDED, NULL, NULL, filter, out, count);
}
