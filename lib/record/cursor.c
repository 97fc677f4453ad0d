#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "record/cursor.h"
#include "record/matcher.h"

enum {
	QUEUE_MAX = 3,			/* blocks a source: two left the workers idle, four gained nothing */
	ALL_BLOCKS = 1 << 20,		/* bytes of one block of each source together; more than a cache holds is slower */
	BLOCK_MIN = 8 << 10,
	BLOCK_MAX = 96 << 10,
	AHEAD = 64 << 20,		/* of pipes, where the caller does not say */
	WORKERS_MAX = 16,
};

/* One source. */
struct cursor_lane {
	struct source *source;
	struct block_spec spec;
	struct block *head, *tail;	/* decoded and not current; LOCK */
	unsigned queued;		/* LOCK */
	bool held;			/* a thread decodes it; LOCK */
	bool ended;			/* nothing comes after the queue; LOCK */
	bool dry;			/* nothing was there when it was last read; LOCK */
	struct block *current;		/* the merging thread's */
	size_t at;			/* record of CURRENT */
};

struct cursor {
	struct cursor_lane *lanes;
	unsigned n, n_workers;
	struct cursor_spec spec;
	pthread_t workers[WORKERS_MAX];
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* a queue has changed, or it is time to stop */
	struct block *unused;		/* LOCK */
	size_t bytes;			/* of all blocks in use; LOCK */
	unsigned next;			/* lane at which the search for work begins; LOCK */
	bool stop;			/* LOCK */
};

static size_t
choose_block(const struct cursor_spec *spec, unsigned n)
{
	size_t bytes = ALL_BLOCKS / 2 * (spec->workers ? 2 : 1) / (n ? n : 1) & ~(size_t)4095;

	if (spec->block)
		return spec->block;
	return bytes < BLOCK_MIN ? BLOCK_MIN : bytes > BLOCK_MAX ? BLOCK_MAX : bytes;
}

static struct block *
block_take(struct cursor *c)
{
	struct block *b = c->unused;

	if (b)
		c->unused = b->next;
	return b;
}

/* Give B back.  Called with the lock. */
static void
block_give(struct cursor *c, struct block *b)
{
	c->bytes -= b->cap_bytes;
	b->next = c->unused;
	c->unused = b;
}

/* Decode one block of L, which the caller has marked as held.  Called with the lock, which is dropped meanwhile. */
static void
lane_decode(struct cursor *c, struct cursor_lane *l)
{
	struct block *b = block_take(c);
	int r;

	pthread_mutex_unlock(&c->lock);
	if (!b)
		b = block_new();
	r = block_decode(b, l->source, &l->spec);
	b->arrived_ms = clock_mono_ms();
	pthread_mutex_lock(&c->lock);
	l->held = false;
	l->dry = r == -EAGAIN;
	l->ended = r == 0;
	if (r == 1) {
		b->next = NULL;
		if (l->tail)
			l->tail->next = b;
		else
			l->head = b;
		l->tail = b;
		l->queued++;
		c->bytes += b->cap_bytes;
	} else {
		b->next = c->unused;
		c->unused = b;
	}
	pthread_cond_broadcast(&c->changed);
}

static bool
lane_wants(const struct cursor_lane *l)
{
	return !l->held && !l->ended && !l->dry && l->queued < QUEUE_MAX;
}

/* A lane to decode, the emptiest of the next few; NULL for none.  Called with the lock. */
static struct cursor_lane *
find_work(struct cursor *c)
{
	struct cursor_lane *best = NULL;

	for (unsigned i = 0; i < c->n && (!best || best->queued > 0); i++) {
		struct cursor_lane *l = &c->lanes[(c->next + i) % c->n];

		if (lane_wants(l) && (!best || l->queued < best->queued))
			best = l;
	}
	if (best)
		c->next = (unsigned)(best - c->lanes + 1) % c->n;
	return best;
}

static void *
work(void *cookie)
{
	struct cursor *c = cookie;

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		struct cursor_lane *l = find_work(c);

		if (!l) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		l->held = true;
		lane_decode(c, l);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static void
lane_init(struct cursor *c, struct cursor_lane *l, struct source *s, const bool *used)
{
	const struct cursor_spec *spec = &c->spec;

	*l = (struct cursor_lane){ .source = s };
	l->spec = (struct block_spec){ .bytes = spec->block, .lines = spec->lines,
	    .fields = spec->fields || (spec->shown && format_is_shown(s->fmt)), .clocks = block_has_clocks(s->fmt) };
	if (spec->rules) {
		if (!s->matcher)
			s->matcher = matcher_new(spec->rules, used);
		l->spec.matcher = s->matcher;
	}
	/* A worker that waits in read() would keep the other sources waiting, too. */
	s->nonblock = !s->feed && !s->seekable;
}

struct cursor *
cursor_open(struct source **v, unsigned n, const struct cursor_spec *spec)
{
	struct cursor *c = xcalloc_apart(1, sizeof *c);

	c->spec = *spec;
	c->spec.block = choose_block(spec, n);
	c->n = n;
	c->lanes = xcalloc_apart(n + 1, sizeof *c->lanes);
	for (unsigned i = 0; i < n; i++)
		lane_init(c, &c->lanes[i], v[i], spec->used ? spec->used[i] : NULL);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	/* As many as can be had: none is enough. */
	while (n > 0 && c->n_workers < spec->workers && c->n_workers < WORKERS_MAX &&
	    pthread_create(&c->workers[c->n_workers], NULL, work, c) == 0)
		c->n_workers++;
	return c;
}

void
cursor_add(struct cursor *c, struct source *s, const bool *used)
{
	struct cursor_lane *v = xcalloc_apart(c->n + 2, sizeof *v);

	memcpy(v, c->lanes, c->n * sizeof *v);
	free(c->lanes);
	c->lanes = v;
	lane_init(c, &c->lanes[c->n++], s, used);
}

int64_t
cursor_offset(const struct cursor *c, unsigned i)
{
	const struct cursor_lane *l = &c->lanes[i];

	if (l->current && l->at < l->current->n)
		return l->current->base + l->current->v[l->at].at;
	if (l->head)
		return l->head->base + l->head->v[0].at;
	return l->source->base + (int64_t)l->source->cur;
}

static void
free_list(struct block *b)
{
	for (struct block *next; b; b = next) {
		next = b->next;
		block_free(b);
	}
}

void
cursor_close(struct cursor *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->n_workers; i++)
		pthread_join(c->workers[i], NULL);
	for (unsigned i = 0; i < c->n; i++) {
		free_list(c->lanes[i].head);
		block_free(c->lanes[i].current);
		c->lanes[i].source->nonblock = false;
	}
	free_list(c->unused);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c->lanes);
	free(c);
}

/* Pipes that have nothing: wait until one of them has, and WANTED above all.  Called with the lock. */
static void
wait_for_pipes(struct cursor *c, const struct cursor_lane *wanted)
{
	struct pollfd *fds = xcalloc(c->n, sizeof *fds);
	struct cursor_lane **of = xcalloc(c->n, sizeof *of);
	const bool room = c->bytes < (c->spec.ahead ? c->spec.ahead : AHEAD);
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++) {
		struct cursor_lane *l = &c->lanes[i];

		if (!l->source->nonblock || l->ended || l->held || !(l == wanted || room))
			continue;
		l->held = true;			/* no worker reads it meanwhile */
		of[n] = l;
		fds[n++] = (struct pollfd){ .fd = l->source->fd, .events = POLLIN };
	}
	pthread_mutex_unlock(&c->lock);
	if (c->spec.idle && poll(fds, n, 0) == 0)
		c->spec.idle(c->spec.cookie);
	while (poll(fds, n, -1) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < n; i++) {
		of[i]->held = false;
		if (!fds[i].revents)
			continue;
		of[i]->dry = false;
		if (of[i] != wanted && of[i]->queued >= QUEUE_MAX) {	/* beyond its queue, for the sake of its writer */
			of[i]->held = true;
			lane_decode(c, of[i]);
		}
	}
	free(fds);
	free(of);
}

/* Have L's queue hold a block, or know that it has ended: 1, 0; -EAGAIN where a live source has nothing. */
static int
lane_fill(struct cursor *c, struct cursor_lane *l)
{
	while (!l->head) {
		struct cursor_lane *other = NULL;

		if (l->ended)
			return 0;
		if (!l->held && !l->dry) {
			l->held = true;
			lane_decode(c, l);
			continue;
		}
		if (l->dry && l->source->feed) {
			l->dry = false;
			return -EAGAIN;
		}
		if (l->dry && !l->held) {
			wait_for_pipes(c, l);
			continue;
		}
		other = find_work(c);
		if (other) {
			other->held = true;
			lane_decode(c, other);
		} else if (!l->head && l->held) {
			pthread_cond_wait(&c->changed, &c->lock);
		}
	}
	return 1;
}

static int
lane_next_block(struct cursor *c, struct cursor_lane *l)
{
	int r;

	pthread_mutex_lock(&c->lock);
	if (l->current) {
		if (--l->current->pins == 0)
			block_give(c, l->current);
		l->current = NULL;
	}
	r = lane_fill(c, l);
	if (r == 1) {
		l->current = l->head;
		l->current->pins = 1;
		l->head = l->head->next;
		if (!l->head)
			l->tail = NULL;
		/* A worker that found nothing to do has some now. */
		if (l->queued-- == QUEUE_MAX)
			pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	l->at = 0;
	return r;
}

int
cursor_peek(struct cursor *c, unsigned i, const struct block **b, size_t *k)
{
	struct cursor_lane *l = &c->lanes[i];
	int r;

	if (!l->current || l->at == l->current->n) {
		r = lane_next_block(c, l);
		if (r != 1)
			return r;
	}
	*b = l->current;
	*k = l->at;
	return 1;
}

void
cursor_advance(struct cursor *c, unsigned i)
{
	c->lanes[i].at++;
}

void
cursor_skip(struct cursor *c, unsigned i, size_t n)
{
	c->lanes[i].at += n;
}

int
cursor_next(struct cursor *c, unsigned i, struct record *r)
{
	const struct block *b;
	size_t k;
	int status = cursor_peek(c, i, &b, &k);

	if (status == 1) {
		block_record(b, k, r);
		cursor_advance(c, i);
	}
	return status;
}

void
cursor_pin(const struct block *b)
{
	((struct block *)(uintptr_t)b)->pins++;
}

void
cursor_unpin(struct cursor *c, const struct block *b)
{
	struct block *own = (struct block *)(uintptr_t)b;

	if (--own->pins > 0)
		return;
	pthread_mutex_lock(&c->lock);
	block_give(c, own);
	pthread_mutex_unlock(&c->lock);
}

size_t
cursor_bytes(const struct cursor *c)
{
	size_t bytes;

	pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&c->lock);
	bytes = c->bytes;
	pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&c->lock);
	return bytes;
}
