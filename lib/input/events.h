/*
 * events - a subscription to Server-Sent Events that lasts: connected again
 * when it breaks, and gone on with behind the last event that came.
 *
 * The first wait is what the server asked for with "retry:", at least 100 ms, else 1 s; from
 * there 3, 6, 10, 10, ... s, from the start again after an event.  A connection
 * on which nothing comes, not even a comment, for the idle time is broken.
 *
 * What cannot be had again is a gap: where the server gives no ids; where it
 * refuses the last id; where ids that were numbers without a hole have one
 * after a break.  Events that the server sends twice are dropped: after a break
 * by their ids, within a connection where their data are the same, too.  Of an
 * event of more than EVENT_MAX bytes the beginning is passed on, and that is
 * reported.
 */
#ifndef INPUT_EVENTS_H
#define INPUT_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/loop.h"

enum { EVENT_MAX = 1 << 20 };

struct events_spec {
	const char *url;
	const char *token_file, *ca_file;	/* as struct http_request's; NULL */
	const char *last_id;			/* of the last event that is known already; NULL */
	int64_t idle_ms;
	bool once;				/* one connection, to its end */
};

struct events_ops {
	void (*event)(const char *id, const char *text, size_t n, void *cookie);	/* ID may be empty */
	void (*gap)(const char *why, void *cookie);		/* before the next event */
	void (*tell)(const struct fail *f, void *cookie);	/* a message; EXIT_OK: for --verbose alone */
	void (*done)(const struct fail *f, void *cookie);	/* it is over; NULL: the server ended it */
	void *cookie;
};

struct events;

/* SPEC and OPS are borrowed. */
int events_start(struct loop *l, const struct events_spec *spec, const struct events_ops *ops,
    struct events **out, struct fail *f);

/* ID is that of an event that is known already, before the last one. */
void events_know(struct events *e, const char *id);
void events_free(struct events *e);

#endif
