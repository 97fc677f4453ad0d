#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/backoff.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/sse.h"
#include "base/xalloc.h"
#include "input/events.h"

enum { SEEN_MAX = 1024, WAIT_MIN_MS = 100, WAIT_MAX_MS = 60000 };

struct events {
	struct loop *loop;
	const struct events_spec *spec;
	const struct events_ops *ops;
	struct http *http;
	struct secret token;
	struct sse sse;
	struct backoff backoff;
	struct loop_timer again;
	struct buf name;
	uint64_t seen[SEEN_MAX];	/* hashes of the last ids */
	uint64_t same[SEEN_MAX];	/* of the last events: their ids and data */
	size_t n_seen, n_same;
	int64_t number;			/* the last id, where all were numbers without a hole; -1: they are not */
	unsigned numbers;		/* how many of them */
	bool any, has_id;		/* an event came; one had an id */
	bool resumed;			/* connected again, and no new event since */
	bool refused_id;		/* the server does not know the last id: ask for what there is */
	bool is_stream;
	bool cut;			/* an event was too long */
};

static bool
has_hash(const uint64_t *v, size_t n, uint64_t h)
{
	for (size_t i = 0; i < n && i < SEEN_MAX; i++)
		if (v[i] == h)
			return true;
	return false;
}

/*
 * Was the event received before?  After a break its id tells.  Within a
 * connection its data must be the same as well, because a server that was
 * restarted may count from the beginning.
 */
static bool
is_repeated(const struct events *e, const struct sse_event *x, uint64_t id, uint64_t all)
{
	if (!x->own_id || !*x->id)
		return false;
	return (e->resumed && has_hash(e->seen, e->n_seen, id)) || has_hash(e->same, e->n_same, all);
}

static void
note_number(struct events *e, const char *id)
{
	int64_t n;

	if (e->number == -1)
		return;
	if (num_parse(id, 0, INT64_MAX, &n) < 0 || (e->numbers && n != e->number + 1 && !e->resumed)) {
		e->number = -1;
		return;
	}
	e->number = n;
	e->numbers++;
}

/* The first new event after a break: is it the next one? */
static void
check_resumed(struct events *e, const struct sse_event *x)
{
	_cleanup_free_ char *why = NULL;
	int64_t n;

	if (e->refused_id)
		why = xstrdup("the server cannot go on where it was");
	else if (!e->has_id)
		why = xstrdup("the server gives no ids to go on from");
	else if (e->number >= 0 && e->numbers > 1 && num_parse(x->id, 0, INT64_MAX, &n) == 0 && n > e->number + 1)
		why = xasprintf("%jd events are missing", (intmax_t)(n - e->number - 1));
	if (why)
		e->ops->gap(why, e->ops->cookie);
}

static int
take_event(const struct sse_event *x, void *cookie)
{
	struct events *e = cookie;
	uint64_t id = hash_bytes(0, x->id, strlen(x->id)), all = hash_bytes(id, x->data, x->len);
	struct fail f;

	if (is_repeated(e, x, id, all))
		return 0;
	if (e->resumed)
		check_resumed(e, x);
	if (x->own_id) {
		note_number(e, x->id);
		e->seen[e->n_seen++ % SEEN_MAX] = id;
		e->same[e->n_same++ % SEEN_MAX] = all;
		e->has_id = true;
	}
	e->resumed = e->refused_id = false;
	e->any = true;
	e->backoff.tries = 0;
	if (x->cut) {
		fail_set(&f, EXIT_NO, "%s: an event is longer than 1 MiB: its end is missing", e->name.s);
		e->ops->tell(&f, e->ops->cookie);
		e->cut = true;
	}
	e->ops->event(x->id, x->data, x->len, e->ops->cookie);
	return 0;
}

static int
take_chunk(const struct http_response *r, const char *p, size_t n, void *cookie)
{
	struct events *e = cookie;
	const char *type = http_response_header(r, "Content-Type");

	if (n == 0) {
		e->is_stream = type && strncasecmp(type, "text/event-stream", 17) == 0;
		sse_restart(&e->sse);
		return e->is_stream || r->status == 204 ? 0 : -1;
	}
	return sse_feed(&e->sse, p, n);
}

static void
events_end(struct events *e, const struct fail *f)
{
	struct fail cut;

	if (!f && e->cut) {
		fail_set(&cut, EXIT_NO, "%s: the end of an event is missing", e->name.s);
		f = &cut;
	}
	e->ops->done(f, e->ops->cookie);
}

static void
wait_and_try(struct events *e, const struct fail *f)
{
	const bool first = e->backoff.tries == 0;
	int64_t ms = backoff_next(&e->backoff);
	struct fail say;

	if (e->sse.retry_ms >= 0 && (first || e->sse.retry_ms > ms))
		ms = e->sse.retry_ms < WAIT_MAX_MS ? e->sse.retry_ms : WAIT_MAX_MS;
	if (ms < WAIT_MIN_MS)
		ms = WAIT_MIN_MS;	/* "retry: 0" must not become a storm */
	/* a break is an everyday thing; one that lasts is not */
	fail_set(&say, e->backoff.tries > 1 ? f->status : EXIT_OK, "%s; trying again in %jd ms", f->text, (intmax_t)ms);
	e->ops->tell(&say, e->ops->cookie);
	e->resumed = e->any || e->spec->last_id;
	loop_timer_set(e->loop, &e->again, ms);
}

static bool
is_for_good(int status)
{
	return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
}

/* The connection is gone, for whatever reason. */
static void
on_done(const struct http_response *r, const struct fail *why, void *cookie)
{
	struct events *e = cookie;
	struct fail f;

	if (r->status == 204) {		/* the standard's word for "do not come again" */
		events_end(e, NULL);
		return;
	}
	if (r->status >= 200 && r->status < 300 && !e->is_stream) {
		fail_set(&f, EXIT_USAGE, "%s: is no stream of events (text/event-stream)", e->name.s);
		events_end(e, &f);
		return;
	}
	if (why)
		f = *why;
	else if (http_response_check(r, e->name.s, &f) == 0)
		fail_set(&f, EXIT_TROUBLE, "%s: the server ended the connection", e->name.s);
	if (is_for_good(r->status) && e->sse.id.len && !e->refused_id && r->status != 401 && r->status != 403) {
		e->refused_id = true;	/* perhaps it is the id that it does not like */
		e->resumed = true;
		loop_timer_set(e->loop, &e->again, 0);
		return;
	}
	if (e->spec->once)
		events_end(e, !why && e->is_stream && r->status == 200 ? NULL : &f);
	else if (is_for_good(r->status)) {
		if (f.status == EXIT_TROUBLE)
			f.status = EXIT_USAGE;	/* it is what was asked that is wrong */
		events_end(e, &f);
	} else
		wait_and_try(e, &f);
}

static void
connect_stream(void *cookie)
{
	struct events *e = cookie;
	_cleanup_free_ char *last = xasprintf("Last-Event-ID: %s", e->sse.id.s);
	const char *headers[] = { "Accept: text/event-stream", "Cache-Control: no-cache", NULL, NULL };

	if (e->sse.id.len && !e->refused_id)
		headers[2] = last;
	e->is_stream = false;
	http_start(e->http, &(struct http_request){ .url = e->spec->url, .headers = headers,
	    .token = e->token.s ? &e->token : NULL, .ca_file = e->spec->ca_file, .idle_ms = e->spec->idle_ms,
	    .chunk = take_chunk, .decode = true }, on_done, e);
}

int
events_start(struct loop *l, const struct events_spec *spec, const struct events_ops *ops,
    struct events **out, struct fail *f)
{
	struct events *e;
	int r = http_check_url(spec->url, spec->token_file != NULL, f);

	if (r < 0)
		return r;
	e = xcalloc(1, sizeof *e);
	*e = (struct events){ .loop = l, .spec = spec, .ops = ops, .name = BUF_INIT };
	e->again = (struct loop_timer){ .fn = connect_stream, .cookie = e };
	sse_init(&e->sse, EVENT_MAX, take_event, e);
	http_name(spec->url, &e->name);
	e->http = http_new(l);
	if (spec->token_file) {
		secret_guard();
		r = secret_load(spec->token_file, &e->token, f);
	}
	if (r < 0) {
		events_free(e);
		return r;
	}
	if (spec->last_id && *spec->last_id) {
		buf_puts(&e->sse.id, spec->last_id);
		e->seen[e->n_seen++] = hash_bytes(0, spec->last_id, strlen(spec->last_id));
		e->has_id = true;
		note_number(e, spec->last_id);
		e->numbers++;		/* a number at all: a hole after it counts */
		e->resumed = true;
	}
	connect_stream(e);
	*out = e;
	return 0;
}

void
events_know(struct events *e, const char *id)
{
	e->seen[e->n_seen++ % SEEN_MAX] = hash_bytes(0, id, strlen(id));
}

void
events_free(struct events *e)
{
	if (!e)
		return;
	http_free(e->http);
	loop_timer_stop(e->loop, &e->again);
	sse_release(&e->sse);
	secret_release(&e->token);
	buf_release(&e->name);
	free(e);
}
