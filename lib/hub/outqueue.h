/*
 * outqueue - one queue of the outbox (hub/outbox.h): its segments and its cursor.
 *
 * Records are lines; what a line holds beside {"id":N is the outbox's.  Reading is
 * by position, so the queue needs memory for its segments alone.
 * Errors: a negative errno.
 */
#ifndef HUB_OUTQUEUE_H
#define HUB_OUTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct outqueue;

/* The directory DIR, made where it is missing; at most MAX bytes.  A DURABLE one is synced and drops nothing. */
int outqueue_open(const char *dir, int64_t max, bool durable, struct outqueue **out);
void outqueue_close(struct outqueue *q);

/*
 * Append LINE, which begins with {"id":ID, and ends with a newline.  -ENOBUFS where it is full.
 * After an error it is not there.
 */
int outqueue_append(struct outqueue *q, int64_t id, const char *line, size_t n);

/* Make what was appended durable and readable; after an error it is gone. */
int outqueue_commit(struct outqueue *q);

/* Forget what was appended since the last commit. */
void outqueue_revert(struct outqueue *q);

/* A line read: without its newline, or empty with DROPPED > 0 for a range of that many. */
struct outqueue_item {
	int64_t id, prev, dropped;
	struct buf line;
};

#define OUTQUEUE_ITEM_INIT	{ 0, 0, 0, BUF_INIT }

/* The first item after the id AFTER that is not confirmed: 1, or 0 for none. */
int outqueue_next(struct outqueue *q, int64_t after, struct outqueue_item *item);

int outqueue_confirm(struct outqueue *q, int64_t id);
int outqueue_confirm_to(struct outqueue *q, int64_t id);

struct outqueue_level {
	int64_t records, bytes, max, dropped, dropped_all, damaged, confirmed, last;
};

void outqueue_get_level(const struct outqueue *q, struct outqueue_level *level);

#endif
