/*
 * sse - Server-Sent Events, as the HTML standard has them: text/event-stream.
 *
 *	: a comment, which keeps the connection alive
 *	event: NAME
 *	id: ID			the last event id, once the event is dispatched; kept for later events
 *	retry: MILLISECONDS
 *	data: TEXT		several lines are joined by newlines
 *				an empty line ends the event
 *
 * Lines end with LF, CR or CR LF; a byte order mark at the very start is
 * dropped; bytes may come in any pieces.  What has no data is no event.
 */
#ifndef BASE_SSE_H
#define BASE_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct sse_event {
	const char *name;	/* "message" where it has none */
	const char *id;		/* the last one given, empty for none; holds no NUL */
	const char *data;	/* NUL-terminated, may hold NUL */
	size_t len;
	bool own_id;		/* ID is its own, not that of one before it */
	bool cut;		/* it was longer than the maximum: the rest is lost */
};

/* E is gone after the call; a negative result ends the parsing. */
typedef int sse_fn(const struct sse_event *e, void *cookie);

struct sse {
	struct buf line, name, data;
	struct buf next_id, id;	/* the field of the event that is being read; of the last one that was dispatched */
	size_t max;		/* bytes of a line, and of an event's data */
	int64_t retry_ms;	/* what the server asked for, -1 for nothing */
	int64_t comments;	/* seen so far */
	bool begun, after_cr, cut, has_data, own_id;
	unsigned bom;		/* bytes of it seen */
	sse_fn *fn;
	void *cookie;
};

void sse_init(struct sse *s, size_t max, sse_fn *fn, void *cookie);
void sse_release(struct sse *s);

/* A new connection: what was not ended is forgotten, its id too; that of the last dispatched event is kept. */
void sse_restart(struct sse *s);

/* N more bytes; the first negative result of the function, else 0. */
int sse_feed(struct sse *s, const char *p, size_t n);

#endif
