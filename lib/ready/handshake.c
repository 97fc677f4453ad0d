#include <errno.h>
#include <stdlib.h>

#include "base/filewatch.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "ready/handshake.h"

enum { CONNECTED_MS = 10000, CONNECTED_GRACE_MS = 1000 };

struct handshake {
	struct loop *loop;
	const struct handshake_spec *spec;
	handshake_fn *fn;
	void *cookie;
	struct filewatch *filewatch;
	struct loop_timer first, grace, poll;
	struct spawn *query;		/* --connected, while it runs */
	enum connected connected;
	bool grace_over;
	enum readiness_verdict told;
	int64_t seen_us;		/* the announcement that was last told of */
	struct readiness_now now;
};

static void
handshake_fail(struct handshake *h, const struct fail *f)
{
	h->fn(VERDICT_NONE, &h->now, f, h->cookie);
}

static void handshake_check(struct handshake *h);

static void
connected_done(const struct spawn_result *r, void *cookie)
{
	struct handshake *h = cookie;
	_cleanup_buf_ struct buf how = BUF_INIT;
	struct fail f;

	h->query = NULL;
	h->connected = r->status == 0 && !r->timed_out ? CONNECTED_YES : CONNECTED_NO;
	if (r->error || r->timed_out || r->signo) {
		spawn_describe(r, &how);
		fail_set(&f, EXIT_TROUBLE, "--connected: '%s' %s", h->spec->connected[0], how.s);
		h->spec->report(&f, NULL);
	}
	handshake_check(h);
}

static void
connected_query(struct handshake *h)
{
	const struct spawn_spec spec = { .argv = h->spec->connected, .timeout_ms = CONNECTED_MS,
	    .grace_ms = CONNECTED_GRACE_MS, .err_inherit = true };

	if (!h->query)
		h->query = spawn_start(h->loop, &spec, connected_done, h);
}

/* Is V to be reported, after the verdict that was reported last? */
static bool
is_news(const struct handshake *h, enum readiness_verdict v)
{
	switch (h->told) {
	case VERDICT_NONE:
		return v != VERDICT_NONE;
	case VERDICT_PEER_OFFLINE:
		return v != VERDICT_NONE && v != VERDICT_PEER_OFFLINE;
	default:
		return v == VERDICT_PEER_RESTART && h->now.announced.made_us != h->seen_us;
	}
}

static void
handshake_report(struct handshake *h, enum readiness_verdict v)
{
	h->told = v;
	h->seen_us = h->now.announced.made_us;
	loop_timer_stop(h->loop, &h->grace);
	loop_timer_stop(h->loop, &h->poll);
	if (h->query) {
		spawn_kill(h->query);
		h->query = NULL;
	}
	if (v == VERDICT_PEER_OFFLINE && h->spec->poll_ms > 0)
		loop_timer_set(h->loop, &h->poll, h->spec->poll_ms);
	h->fn(v, &h->now, NULL, h->cookie);
}

/* Whatever the cause of the wakeup was: read all state anew and judge it. */
static void
handshake_check(struct handshake *h)
{
	enum readiness_verdict v;
	struct fail f;

	if (readiness_read(h->spec->place, &h->now, &f) < 0) {
		handshake_fail(h, &f);
		return;
	}
	v = readiness_judge(h->spec->self, &h->now, h->connected, h->grace_over);
	/* no announcement: at the end of the grace period, run the command CONNECTED first */
	if (h->told == VERDICT_NONE && h->grace_over && h->spec->connected &&
	    h->connected == CONNECTED_NOT_ASKED && v != VERDICT_COLD_START) {
		connected_query(h);
		return;
	}
	if (is_news(h, v))
		handshake_report(h, v);
	else if (h->told == VERDICT_PEER_OFFLINE && h->spec->poll_ms > 0 && !h->poll.set)
		loop_timer_set(h->loop, &h->poll, h->spec->poll_ms);
}

static void
first_check(void *cookie)
{
	handshake_check(cookie);
}

static void
grace_ended(void *cookie)
{
	struct handshake *h = cookie;

	h->grace_over = true;
	handshake_check(h);
}

static void
poll_again(void *cookie)
{
	struct handshake *h = cookie;

	connected_query(h);
}

static void
announcement_changed(bool names, void *cookie)
{
	(void)names;
	handshake_check(cookie);
}

struct handshake *
handshake_start(struct loop *l, const struct handshake_spec *spec, handshake_fn *fn, void *cookie)
{
	struct handshake *h = xcalloc(1, sizeof *h);

	*h = (struct handshake){
		.loop = l, .spec = spec, .fn = fn, .cookie = cookie,
		.first = { .fn = first_check, .cookie = h },
		.grace = { .fn = grace_ended, .cookie = h },
		.poll = { .fn = poll_again, .cookie = h },
	};
	/* watched before it is read first: an announcement in between is not missed */
	h->filewatch = filewatch_new(l, FILEWATCH_POLL_MS);
	filewatch_add(h->filewatch, spec->place->announced, FILEWATCH_PATH, announcement_changed, h);
	loop_timer_set(l, &h->first, 0);
	loop_timer_set(l, &h->grace, spec->grace_ms);
	return h;
}

void
handshake_free(struct handshake *h)
{
	if (!h)
		return;
	loop_timer_stop(h->loop, &h->first);
	loop_timer_stop(h->loop, &h->grace);
	loop_timer_stop(h->loop, &h->poll);
	if (h->query)
		spawn_kill(h->query);
	filewatch_free(h->filewatch);
	free(h);
}

struct handshake_wait {
	struct loop *loop;
	enum readiness_verdict verdict;
	struct readiness_now now;
	struct fail fail;
};

static void
on_first_verdict(enum readiness_verdict v, struct readiness_now *now, const struct fail *f, void *cookie)
{
	struct handshake_wait *w = cookie;

	w->verdict = v;
	w->now = *now;
	if (f)
		w->fail = *f;
	loop_stop(w->loop, f ? -EIO : 0);
}

int
handshake_wait(const struct handshake_spec *spec, enum readiness_verdict *v, struct readiness_now *now,
    struct fail *f)
{
	struct handshake_wait w = { .loop = loop_new() };
	struct handshake *h = handshake_start(w.loop, spec, on_first_verdict, &w);
	int r = loop_run(w.loop);

	handshake_free(h);
	loop_free(w.loop);
	*v = w.verdict;
	*now = w.now;
	*f = w.fail;
	return r;
}
