/* merge_parallel() of log/merge.h. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "log/merge.h"

enum {
	CHUNKS = 8 << 20,		/* bytes of all the pieces that are there at once, about */
	CHUNK_MAX = 2 << 20,		/* and of one */
	STEP_MIN = 32 << 10,		/* between two samples of a file, at least */
	PROBE = 4096,			/* read at once when a record is looked for */
	READS = 4 << 20,		/* bytes of all buffers to read into */
	READ_MIN = 4 << 10,
	READ_MAX = 128 << 10,
	WAIT_MAX = 64,			/* pieces that resume() goes on for, at most */
};

struct sample {
	int64_t off, t;
};

/* What is known of a file: the times of records at some offsets, both rising. */
struct track {
	struct sample *v;
	size_t n;
	int64_t size;
	int64_t first;			/* offset of the first record with a time, 0 for none */
};

enum chunk_state { CHUNK_FREE, CHUNK_TAKEN, CHUNK_DONE, CHUNK_BAD };

struct chunk {
	enum chunk_state state;
	bool zoned;			/* its times are not told from themselves alone */
	struct render out;
	struct merge_count count;
	struct ledger ledger;		/* what the watch said */
	int64_t *from, *to;		/* of each file */
};

struct parallel {
	struct source **v;
	const struct merge_watch *watch;
	unsigned n, threads, slots;
	int64_t chunk;			/* bytes of a piece */
	size_t read_bytes;		/* of a source, at once */
	struct track *tracks;
	int64_t *cuts;			/* keys, rising, no two the same; the last is the end of all */
	size_t n_cuts;
	struct source **probes;		/* one a file, to look for cuts with */
	struct chunk *ring;		/* SLOTS of them: chunk I lives in I % SLOTS */
	int64_t *next_from;		/* where the chunk that nobody has taken begins */
	size_t taken, written;
	size_t behind, wait;		/* cuts up to which resume() went, and how many more it goes next time */
	struct source **mine;		/* views for resume(); NULL before the first */
	bool stop, pause;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

struct worker {
	struct parallel *p;
	struct filter filter, *filters;	/* FILTERS: NULL for none, or FILTER */
	struct source **views;
	pthread_t thread;
};

static bool
allows(struct source **v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!v[i]->seekable || !v[i]->simple || v[i]->indivisible || v[i]->fd < 0)
			return false;
	return n > 0;
}

/* The times along one file; false where they do not rise. */
static bool
sample(struct source *probe, struct track *t, int64_t step)
{
	size_t cap = 0;
	int64_t off, ns;

	for (int64_t at = step; at < t->size; at += step) {
		if (!source_probe(probe, at, &off, &ns))
			break;
		if (t->n && off == t->v[t->n - 1].off)
			continue;
		if (t->n && ns < t->v[t->n - 1].t)
			return false;
		t->v = xgrow(t->v, t->n, &cap, sizeof *t->v);
		t->v[t->n++] = (struct sample){ off, ns };
	}
	return true;
}

static int
by_key(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Keys that cut the whole into pieces of about CHUNK bytes each. */
static void
choose_cuts(struct parallel *p, int64_t step)
{
	size_t total = 0, k = 0, every = p->chunk > step ? (size_t)(p->chunk / step) : 1;
	int64_t *all;

	for (unsigned i = 0; i < p->n; i++)
		total += p->tracks[i].n;
	all = xcalloc(total + 1, sizeof *all);
	for (unsigned i = 0; i < p->n; i++)
		for (size_t j = 0; j < p->tracks[i].n; j++)
			all[k++] = p->tracks[i].v[j].t;
	qsort(all, total, sizeof *all, by_key);
	p->cuts = xcalloc(total / every + 2, sizeof *p->cuts);
	for (size_t i = every; i < total; i += every)
		if (p->n_cuts == 0 || all[i] > p->cuts[p->n_cuts - 1])
			p->cuts[p->n_cuts++] = all[i];
	p->cuts[p->n_cuts++] = INT64_MAX;
	free(all);
}

/* The offset of file I's first record whose time is KEY or later, if its times rise. */
static int64_t
cut_at(const struct parallel *p, unsigned i, int64_t key)
{
	const struct track *t = &p->tracks[i];
	size_t lo = 0, end = t->n;
	int64_t from, hi, found, off, ns;

	if (key == INT64_MAX)
		return INT64_MAX;	/* also what is added meanwhile */
	while (lo < end) {
		size_t mid = lo + (end - lo) / 2;

		if (t->v[mid].t < key)
			lo = mid + 1;
		else
			end = mid;
	}
	/*
	 * Records that begin before FROM are earlier than KEY; the one at FOUND, or
	 * the end, is not; those that begin from FROM up to HI are still to be judged.
	 */
	from = lo ? t->v[lo - 1].off + 1 : 0;
	found = hi = lo < t->n ? t->v[lo].off : t->size;
	while (from < hi) {
		int64_t mid = hi - from > PROBE / 2 ? from + (hi - from) / 2 : from;
		bool any = source_probe(p->probes[i], mid, &off, &ns) && off < hi;

		if (any && ns < key) {
			from = off + 1;
			continue;
		}
		if (any)
			found = off;
		hi = mid;
	}
	/* What stands before the first time has that time. */
	return found == t->first ? 0 : found;
}

/* Take the next chunk, its bounds found; NULL when there is none. */
static struct chunk *
take(struct parallel *p, size_t *index)
{
	struct chunk *c;

	/* Also when all are taken: some may have to be taken again. */
	while (!p->stop && (p->pause || p->taken == p->n_cuts || p->taken - p->written >= p->slots))
		pthread_cond_wait(&p->changed, &p->lock);
	if (p->stop)
		return NULL;
	*index = p->taken++;
	c = &p->ring[*index % p->slots];
	c->state = CHUNK_TAKEN;
	c->out.w.len = 0;
	c->out.torn = c->zoned = false;
	c->count = (struct merge_count){ 0 };
	ledger_clear(&c->ledger);
	for (unsigned i = 0; i < p->n; i++) {
		c->from[i] = p->next_from[i];
		c->to[i] = cut_at(p, i, p->cuts[*index]);
		if (c->to[i] < c->from[i])
			c->to[i] = c->from[i];
		p->next_from[i] = c->to[i];
	}
	return c;
}

static void *
work(void *cookie)
{
	struct worker *w = cookie;
	struct parallel *p = w->p;
	struct chunk *c;
	size_t index;
	bool good;

	pthread_mutex_lock(&p->lock);
	while ((c = take(p, &index))) {
		pthread_mutex_unlock(&p->lock);
		for (unsigned i = 0; i < p->n; i++)
			source_range(w->views[i], c->from[i], c->to[i]);
		good = merge_range(w->views, p->n, p->cuts[index], p->watch, &c->ledger, w->filters, &c->out,
		    &c->count);
		if (p->watch && c->count.newest_ns > c->ledger.newest_ns)
			c->ledger.newest_ns = c->count.newest_ns;
		for (unsigned i = 0; i < p->n; i++) {
			/* In an hour that comes twice, what a time means is told by those before it. */
			c->zoned |= w->views[i]->time.by_zone && !zone_is_fixed(w->views[i]->zone);
			good = good && !c->zoned && w->views[i]->error == 0;
		}
		pthread_mutex_lock(&p->lock);
		c->state = good ? CHUNK_DONE : CHUNK_BAD;
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void
setup(struct parallel *p, const struct render_style *style)
{
	unsigned n = p->n;

	p->slots = p->threads + 1;
	p->ring = xcalloc(p->slots, sizeof *p->ring);
	for (unsigned i = 0; i < p->slots; i++) {
		render_init(&p->ring[i].out, -1, style);
		p->ring[i].from = xcalloc(n, sizeof *p->ring[i].from);
		p->ring[i].to = xcalloc(n, sizeof *p->ring[i].to);
	}
	p->next_from = xcalloc(n, sizeof *p->next_from);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
}

static void
release(struct parallel *p)
{
	for (unsigned i = 0; i < p->slots; i++) {
		render_release(&p->ring[i].out);
		ledger_release(&p->ring[i].ledger);
		free(p->ring[i].from);
		free(p->ring[i].to);
	}
	for (unsigned i = 0; i < p->n; i++) {
		source_close(p->probes[i], NULL);
		if (p->mine)
			source_close(p->mine[i], NULL);
		free(p->tracks[i].v);
	}
	free(p->ring);
	free(p->next_from);
	free(p->tracks);
	free(p->probes);
	free(p->mine);
	free(p->cuts);
}

/* Look at the files; false where they are small, or not sorted. */
static bool
plan(struct parallel *p)
{
	int64_t least = p->chunk < STEP_MIN ? p->chunk : STEP_MIN, step = p->chunk / (int64_t)p->n / least * least;
	bool good = true;
	struct stat st;
	int64_t ns;

	if (step < least)
		step = least;
	p->tracks = xcalloc(p->n, sizeof *p->tracks);
	p->probes = xcalloc(p->n, sizeof *p->probes);
	for (unsigned i = 0; i < p->n; i++) {
		p->probes[i] = source_view(p->v[i], 0, INT64_MAX, PROBE);
		if (fstat(p->v[i]->fd, &st) == 0)
			p->tracks[i].size = st.st_size;
		if (!source_probe(p->probes[i], 0, &p->tracks[i].first, &ns))
			p->tracks[i].first = 0;
		good = good && sample(p->probes[i], &p->tracks[i], step);
	}
	if (good)
		choose_cuts(p, step);
	return good && p->n_cuts > 2;
}

/* Let resume() merge from the chunk that was not accepted on; false at the end. */
static bool
resume(struct parallel *p)
{
	const struct chunk *bad = &p->ring[p->written % p->slots];
	size_t until;
	bool again;

	/* Where time did not do before long, more is done otherwise. */
	if (p->wait == 0 || p->written > p->behind + 4 * p->wait)
		p->wait = 1;
	else if (p->wait < WAIT_MAX)
		p->wait *= 2;
	until = !bad->zoned && p->written + p->wait < p->n_cuts ? p->written + p->wait - 1 : p->n_cuts - 1;
	if (!p->mine) {
		p->mine = xcalloc(p->n, sizeof(struct source *));
		for (unsigned i = 0; i < p->n; i++)
			p->mine[i] = source_view(p->v[i], 0, 0, p->read_bytes);
	}
	for (unsigned i = 0; i < p->n; i++)
		source_range(p->mine[i], bad->from[i], INT64_MAX);
	again = p->watch->resume(p->mine, p->n, p->cuts[until], p->next_from, p->watch->cookie);
	for (unsigned i = 0; i < p->n; i++)
		if (p->mine[i]->error)
			p->v[i]->error = p->mine[i]->error;
	p->behind = until + 1;
	p->written = p->taken = again ? until + 1 : p->n_cuts;
	return again;
}

/* With the lock held: have the workers wait while resume() goes on. */
static void
go_round(struct parallel *p)
{
	p->pause = true;
	for (unsigned i = 0; i < p->slots; i++)
		while (p->ring[i].state == CHUNK_TAKEN)
			pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
	p->stop = !resume(p);
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->slots; i++)
		p->ring[i].state = CHUNK_FREE;
	p->pause = false;
	pthread_cond_broadcast(&p->changed);
}

/* Write the chunks in order; where one is bad and nobody watches, all from it on is left. */
static void
collect(struct parallel *p, struct render *out, struct merge_count *count)
{
	pthread_mutex_lock(&p->lock);
	while (p->written < p->n_cuts && !p->stop) {
		struct chunk *c = &p->ring[p->written % p->slots];

		while (p->taken <= p->written || c->state == CHUNK_TAKEN)
			pthread_cond_wait(&p->changed, &p->lock);
		if (c->state == CHUNK_DONE && p->watch) {
			pthread_mutex_unlock(&p->lock);
			if (!p->watch->accept(&c->ledger, p->watch->cookie))
				c->state = CHUNK_BAD;
			pthread_mutex_lock(&p->lock);
		}
		if (c->state == CHUNK_BAD && p->watch) {
			go_round(p);
			continue;
		}
		if (c->state == CHUNK_BAD) {
			p->stop = true;
			break;
		}
		pthread_mutex_unlock(&p->lock);
		if (!p->watch || !p->watch->silent)
			render_chunk(out, &c->out);
		count->records += c->count.records;
		count->inherited += c->count.inherited;
		pthread_mutex_lock(&p->lock);
		p->stop = out->w.error != 0;
		c->state = CHUNK_FREE;
		p->written++;
		pthread_cond_broadcast(&p->changed);
	}
	p->stop = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

bool
merge_parallel(struct source **v, unsigned n, unsigned threads, size_t piece, const struct merge_watch *watch,
    const struct filter *filter, struct render *out, struct merge_count *count)
{
	struct parallel p = { .v = v, .n = n, .threads = threads, .watch = watch };
	struct worker *w;

	if (threads < 2 || !allows(v, n))
		return false;
	p.chunk = CHUNKS / (threads + 1) < CHUNK_MAX ? CHUNKS / (threads + 1) : CHUNK_MAX;
	if (piece)
		p.chunk = (int64_t)piece;
	p.read_bytes = READS / threads / n;
	p.read_bytes = p.read_bytes > READ_MAX ? READ_MAX : p.read_bytes < READ_MIN ? READ_MIN : p.read_bytes;
	if (!plan(&p)) {
		release(&p);
		return false;
	}
	setup(&p, out->style);
	w = xcalloc(threads, sizeof *w);
	for (unsigned i = 0; i < threads; i++) {
		w[i].p = &p;
		if (filter) {
			filter_share(&w[i].filter, filter);
			w[i].filters = &w[i].filter;
		}
		w[i].views = xcalloc(n, sizeof(struct source *));
		for (unsigned j = 0; j < n; j++)
			w[i].views[j] = source_view(v[j], 0, 0, p.read_bytes);
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			abort();
	}
	collect(&p, out, count);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(w[i].thread, NULL);
	if (p.written < p.n_cuts && out->w.error == 0) {
		for (unsigned j = 0; j < n; j++)
			source_range(w[0].views[j], p.ring[p.written % p.slots].from[j], INT64_MAX);
		merge_range(w[0].views, n, INT64_MAX, NULL, NULL, w[0].filters, out, count);
	}
	for (unsigned j = 0; j < n; j++)
		for (unsigned i = 0; i < threads; i++)
			if (w[i].views[j]->error)
				v[j]->error = w[i].views[j]->error;
	for (unsigned i = 0; i < threads; i++) {
		for (unsigned j = 0; j < n; j++)
			source_close(w[i].views[j], NULL);
		free(w[i].views);
		if (filter)
			filter_release(&w[i].filter);
	}
	free(w);
	release(&p);
	return true;
}
