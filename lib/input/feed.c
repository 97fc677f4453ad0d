#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "input/feed.h"

void
feed_init(struct feed *f, const struct feed_ops *ops, const char *name)
{
	*f = (struct feed){ .ops = ops, .queue = BUF_INIT, .name = xstrdup(name) };
}

static void
meta_release(struct event_meta *x)
{
	free(x->id);
}

void
feed_release(struct feed *f)
{
	for (size_t i = f->first; i < f->n_meta; i++)
		meta_release(&f->meta[i]);
	free(f->meta);
	for (size_t i = 0; i < f->n_words; i++)
		free(f->words[i]);
	free(f->words);
	free(f->last_id);
	free(f->name);
	buf_release(&f->queue);
}

static struct event_meta *
meta_add(struct feed *f, int64_t off)
{
	struct event_meta *x;

	if (f->first > 64 && f->first > f->n_meta / 2) {
		f->n_meta -= f->first;
		memmove(f->meta, f->meta + f->first, f->n_meta * sizeof *f->meta);
		f->first = 0;
	}
	f->meta = xgrow(f->meta, f->n_meta, &f->meta_cap, sizeof *f->meta);
	x = &f->meta[f->n_meta++];
	*x = (struct event_meta){ .off = off, .time_ns = FEED_NO_TIME, .level = -1, .gap = f->gap };
	f->gap = false;
	return x;
}

void
feed_wake(struct feed *f)
{
	if (f->host.wake)
		f->host.wake(f->host.cookie);
}

static void
set_paused(struct feed *f, bool paused)
{
	if (f->paused == paused)
		return;
	f->paused = paused;
	if (f->ops->pause)
		f->ops->pause(f, paused);
}

static void
queue_add(struct feed *f, const char *p, size_t n)
{
	if (f->head > FEED_QUEUE_MAX / 4 && f->head > f->queue.len / 2) {
		f->queue.len -= f->head;
		memmove(f->queue.s, f->queue.s + f->head, f->queue.len);
		f->head = 0;
	}
	buf_add(&f->queue, p, n);
	f->put += (int64_t)n;
}

void
feed_push(struct feed *f, const char *p, size_t n)
{
	if (n == 0)
		return;
	if (f->gap)
		meta_add(f, f->put);
	queue_add(f, p, n);
	if (f->queue.len - f->head > FEED_QUEUE_MAX)
		set_paused(f, true);
	feed_wake(f);
}

static uint64_t
hash(uint64_t seed, const char *text)
{
	return text ? hash_bytes(seed, text, strlen(text)) : 0;
}

/* The same text for each event of an incarnation; the latest are found first. */
static const char *
intern(struct feed *f, const char *text)
{
	for (size_t i = f->n_words; i-- > 0; )
		if (strcmp(f->words[i], text) == 0)
			return f->words[i];
	f->words = xrealloc(f->words, f->n_words + 1, sizeof *f->words);
	f->words[f->n_words] = xstrdup(text);
	return f->words[f->n_words++];
}

void
feed_push_event(struct feed *f, const char *p, size_t n, const struct feed_event *key)
{
	bool whole = n && p[n - 1] == '\n';
	struct event_meta *x = meta_add(f, f->put);

	x->len = n + !whole;
	x->id = key->id ? xstrdup(key->id) : NULL;
	x->incarnation = key->incarnation ? intern(f, key->incarnation) : NULL;
	x->sequence = hash(0x73, key->sequence);
	x->number = key->number;
	x->sparse = key->sparse;
	x->level = key->level;
	x->boot = hash(0x62, key->boot);
	x->mono_us = key->mono_us;
	x->time_ns = key->time_ns;
	queue_add(f, p, n);
	if (!whole)
		queue_add(f, "\n", 1);
	if (f->queue.len - f->head > FEED_QUEUE_MAX)
		set_paused(f, true);
	feed_wake(f);
}

void
feed_gap(struct feed *f, const struct fail *why)
{
	f->gap = true;
	if (why && f->host.tell)
		f->host.tell(why, f->host.cookie);
}

void
feed_end(struct feed *f)
{
	f->ended = true;
	feed_wake(f);
}

void
feed_tell(struct feed *f, enum exit_status status, const char *fmt, ...)
{
	struct fail why;
	char text[sizeof why.text / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fail_set(&why, status, "%s: %s", f->name, text);
	if (f->host.tell)
		f->host.tell(&why, f->host.cookie);
}

const char *
feed_last_id(const struct feed *f)
{
	return f->last_id;
}

int
feed_start(struct feed *f, struct loop *l, const struct feed_host *host, struct fail *why)
{
	f->loop = l;
	f->host = *host;
	f->started = true;
	return f->ops->start(f, why);
}

ssize_t
feed_read(struct feed *f, char *p, size_t n)
{
	size_t have = f->queue.len - f->head;

	if (f->ops->read) {
		ssize_t r = f->ops->read(f, p, n);

		if (r > 0) {
			if (f->gap)
				meta_add(f, f->put);
			f->put += r;
			f->given = f->put;
		}
		return r;
	}
	if (have == 0)
		return f->ended ? 0 : -EAGAIN;
	if (n > have)
		n = have;
	memcpy(p, f->queue.s + f->head, n);
	f->head += n;
	f->given += (int64_t)n;
	if (f->head == f->queue.len) {
		buf_reset(&f->queue);
		f->head = 0;
	}
	if (f->paused && f->queue.len - f->head < FEED_QUEUE_MAX / 2)
		set_paused(f, false);
	return (ssize_t)n;
}

bool
feed_is_ready(struct feed *f)
{
	return f->ops->ready ? f->ops->ready(f) : f->queue.len > f->head || f->ended;
}

const struct event_meta *
feed_meta_at(const struct feed *f, int64_t off)
{
	size_t lo = f->first, hi = f->n_meta;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->meta[mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < f->n_meta && f->meta[lo].off == off ? &f->meta[lo] : NULL;
}

void
feed_ack(struct feed *f, int64_t off)
{
	for (; f->first < f->n_meta && f->meta[f->first].off < off; f->first++) {
		struct event_meta *x = &f->meta[f->first];

		if (x->id) {
			free(f->last_id);
			f->last_id = TAKE_PTR(x->id);
		}
		meta_release(x);
	}
	if (f->ops->ack)
		f->ops->ack(f, off);
}

void
feed_free(struct feed *f)
{
	if (f)
		f->ops->free(f);
}
