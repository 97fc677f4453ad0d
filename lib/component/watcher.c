#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/sdnotify.h"
#include "base/xalloc.h"
#include "component/enumerate.h"
#include "component/snapshot.h"
#include "component/watcher.h"

enum { DEAF_POLL_MS = 5000 };	/* where inotifywait is missing */

enum stage {
	WAITING,	/* for an edge, or for things to be quiet */
	LOOKING,
	OFFERED,	/* somebody acts on what is new */
	HELD_BACK,	/* it was not acted on; until later */
};

struct watcher {
	struct loop *loop;
	struct watcher_spec spec;
	struct watcher_callbacks tell;
	struct trigger_set *edges;
	struct enumeration *look;
	enum stage stage;
	struct json before, after;	/* acted on; seen at this look */
	struct json said, to_say;	/* problems, objects for their keys: last look, this look */
	bool is_known;			/* BEFORE is a snapshot */
	bool is_saved;			/* and the file has it */
	bool woke;			/* what is offered wakes */
	bool edges_ready, looked, told_ready, ending;
	bool unheard;			/* something may have come before we were listening */
	enum exit_status worst;		/* of this look */
	char *cause;			/* of this look */
	char *next_cause;		/* of the next; NULL for none yet */
	char *held;			/* why it was last not acted on */
	bool pending;			/* an edge came since the look began */
	int64_t first_ms;		/* the first such */
	struct backoff backoff;
	struct loop_timer settle, later, period, watchdog;
	struct loop_stage shutdown;
};

/* Say TEXT unless it was said at the last look, too. */
static void
say(struct watcher *w, enum exit_status status, const char *text)
{
	struct json v = json_get(w->said, text), u = json_get(w->to_say, text);

	if (json_kind(v) == JSON_NONE && json_kind(u) == JSON_NONE)
		w->tell.problem(status, text, w->tell.cookie);
	json_release(&v);
	json_release(&u);
	json_set(&w->to_say, text, json_null());
}

static void
refused(const struct fail *f, void *cookie)
{
	say(cookie, f->status, f->text);
}

/* With a watchdog: we are well.  At each look, so that it needs no waking of its own. */
static void
pat_watchdog(void *cookie)
{
	struct watcher *w = cookie;
	int64_t ms = sdnotify_watchdog_ms();

	if (ms == 0)
		return;
	sdnotify("WATCHDOG=1");
	loop_timer_set(w->loop, &w->watchdog, ms);
}

/*
 * A second look, for what came before we were listening, is part of the start;
 * but nobody who starts us waits for what a command does with the first.
 */
static void
tell_ready(struct watcher *w)
{
	if (w->told_ready || !w->edges_ready || !w->looked ||
	    (w->unheard && (w->stage == WAITING || w->stage == LOOKING)))
		return;
	w->told_ready = true;
	sdnotify("READY=1");
	pat_watchdog(w);
	w->tell.ready(w->tell.cookie);
}

static void
set_period(struct watcher *w)
{
	int64_t ms = w->spec.rescan_ms;

	if (w->spec.poll_ms > 0 && (ms == 0 || w->spec.poll_ms < ms))
		ms = w->spec.poll_ms;
	if (ms > 0)
		loop_timer_set(w->loop, &w->period, ms);
}

/* Look when it has been quiet, or was not for long enough. */
static void
wait_until_quiet(struct watcher *w)
{
	int64_t ms = w->spec.settle_ms;
	int64_t left = w->first_ms + WATCHER_UNSETTLED * ms - clock_mono_ms();

	if (left < ms)
		ms = left > 0 ? left : 0;
	loop_timer_set(w->loop, &w->settle, ms);
}

static void
edge(const char *cause, void *cookie)
{
	struct watcher *w = cookie;

	if (w->ending)
		return;
	if (!w->pending)
		w->first_ms = clock_mono_ms();
	w->pending = true;
	if (!w->next_cause)
		w->next_cause = xstrdup(cause);
	if (w->stage == WAITING)
		wait_until_quiet(w);
}

static void
wait_for_edge(struct watcher *w)
{
	w->stage = WAITING;
	if (w->ending)
		return;
	set_period(w);
	if (w->pending)
		wait_until_quiet(w);
}

static int
save(struct watcher *w)
{
	int r = w->spec.state && !w->is_saved ? snapshot_save(w->spec.state, w->before) : 0;
	_cleanup_free_ char *why = NULL;

	w->is_saved = r == 0;
	if (r == 0)
		return 0;
	why = xasprintf("%s: %s", w->spec.state, strerror(-r));
	say(w, EXIT_TROUBLE, why);
	return r;
}

/* The look's snapshot is the one that was acted on. */
static int
commit(struct watcher *w)
{
	if (!w->is_known || !json_equal(w->before, w->after))
		w->is_saved = false;
	json_release(&w->before);
	w->before = json_copy(w->after);
	json_release(&w->after);
	w->is_known = true;
	w->backoff.tries = 0;
	free(TAKE_PTR(w->held));
	return save(w);
}

/* A look is over, and what was to be done about it is done: commit() returned R. */
static void
over(struct watcher *w, int r)
{
	json_release(&w->said);
	w->said = json_copy(w->to_say);
	json_release(&w->to_say);
	w->to_say = json_object();
	if (w->spec.once)
		w->tell.end(r < 0 ? EXIT_TROUBLE : w->worst != EXIT_OK ? w->worst :
		    w->woke ? EXIT_OK : EXIT_NO, w->tell.cookie);
	w->woke = false;
	pat_watchdog(w);
	wait_for_edge(w);
	tell_ready(w);
}

void
watcher_acted(struct watcher *w, bool acted, const char *why)
{
	if (acted) {
		over(w, commit(w));
		return;
	}
	if (!w->ending && (!w->held || strcmp(w->held, why) != 0))
		w->tell.problem(EXIT_TROUBLE, why, w->tell.cookie);
	free(w->held);
	w->held = xstrdup(why);
	json_release(&w->after);
	w->stage = HELD_BACK;
	if (w->spec.once)
		w->tell.end(EXIT_TROUBLE, w->tell.cookie);
	else if (!w->ending)
		loop_timer_set(w->loop, &w->later, backoff_next(&w->backoff));
	tell_ready(w);
}

/* There is nothing yet to compare with: this is it. */
static void
begin_with(struct watcher *w)
{
	int r = w->worst == EXIT_OK ? commit(w) : 0;

	if (w->worst != EXIT_OK || r < 0) {
		json_release(&w->after);
		w->tell.end(r < 0 ? EXIT_TROUBLE : w->worst, w->tell.cookie);
		return;
	}
	over(w, r);
}

static void
looked(struct json components, enum exit_status worst, void *cookie)
{
	struct watcher *w = cookie;
	_cleanup_json_ struct json events = JSON_ABSENT;

	w->look = NULL;
	w->looked = true;
	w->worst = worst;
	w->after = snapshot_of(components, worst == EXIT_OK ? JSON_ABSENT : w->before);
	if (!w->is_known) {
		begin_with(w);
		return;
	}
	events = snapshot_events(w->before, w->after, components, w->cause, w->spec.all);
	if (json_count(events) == 0) {
		over(w, commit(w));
		return;
	}
	w->woke = snapshot_wakes(events);
	w->stage = OFFERED;
	w->tell.offer(events, w->tell.cookie);
	tell_ready(w);
}

static void
begin_look(struct watcher *w)
{
	const struct enumerate_spec spec = {
		.inventories = w->spec.edges.inventories, .group = w->spec.edges.group,
		.problem = refused, .cookie = w,
	};

	loop_timer_stop(w->loop, &w->settle);
	loop_timer_stop(w->loop, &w->later);
	loop_timer_stop(w->loop, &w->period);
	w->stage = LOOKING;
	w->pending = w->unheard = false;
	if (w->next_cause) {	/* else the one of the look that was not acted on */
		free(w->cause);
		w->cause = TAKE_PTR(w->next_cause);
	}
	if (w->edges)
		trigger_set_refresh(w->edges);
	w->look = enumerate_start(w->loop, &spec, looked, w);
}

static void
settled(void *cookie)
{
	begin_look(cookie);
}

static void
period_over(void *cookie)
{
	struct watcher *w = cookie;

	if (w->stage != WAITING || w->settle.set)
		return;		/* a look comes anyway */
	w->next_cause = xstrdup(w->spec.poll_ms > 0 ? "poll" : "rescan");
	begin_look(w);
}

static void
edges_ready(void *cookie)
{
	struct watcher *w = cookie;

	w->edges_ready = true;
	if (w->stage == WAITING && !w->looked)
		return;		/* the first look is still to come */
	w->unheard = w->pending = true;
	w->first_ms = 0;	/* at once */
	if (!w->next_cause)
		w->next_cause = xstrdup("start");
	if (w->stage == WAITING)
		wait_until_quiet(w);
	tell_ready(w);
}

static void
edges_problem(const char *text, void *cookie)
{
	struct watcher *w = cookie;

	w->tell.problem(EXIT_TROUBLE, text, w->tell.cookie);
}

static void
deaf(void *cookie)
{
	struct watcher *w = cookie;
	_cleanup_free_ char *text = xasprintf("inotifywait is not installed (package inotify-tools)"
	    "; directories are looked at every %d s instead", DEAF_POLL_MS / 1000);

	if (w->spec.poll_ms == 0 || w->spec.poll_ms > DEAF_POLL_MS)
		w->spec.poll_ms = DEAF_POLL_MS;
	w->tell.problem(EXIT_TROUBLE, text, w->tell.cookie);
	if (w->stage == WAITING && w->looked)
		set_period(w);
}

void
watcher_stop(struct watcher *w)
{
	w->ending = true;
	if (w->look)
		enumerate_cancel(TAKE_PTR(w->look));
	loop_timer_stop(w->loop, &w->settle);
	loop_timer_stop(w->loop, &w->later);
	loop_timer_stop(w->loop, &w->period);
}

/* After the command has ended, and what it did is noted: end what listens. */
static void
stop_listening(void *cookie)
{
	struct watcher *w = cookie;

	watcher_stop(w);
	loop_timer_stop(w->loop, &w->watchdog);
	if (w->edges)
		trigger_set_stop(w->edges);
}

struct watcher *
watcher_new(struct loop *l, const struct watcher_spec *spec, const struct watcher_callbacks *tell,
    struct fail *f)
{
	struct watcher *w = xcalloc(1, sizeof *w);
	const struct trigger_callbacks hear = { edge, edges_ready, edges_problem, deaf, w };
	int r;

	*w = (struct watcher){
		.loop = l, .spec = *spec, .tell = *tell,
		.said = json_object(), .to_say = json_object(),
		.next_cause = xstrdup("start"), .pending = true,
		.settle = { .fn = settled, .cookie = w },
		.later = { .fn = settled, .cookie = w },
		.period = { .fn = period_over, .cookie = w },
		.watchdog = { .fn = pat_watchdog, .cookie = w },
		.shutdown = { .fn = stop_listening, .cookie = w },
	};
	r = spec->state ? snapshot_load(spec->state, &w->before, f) : -ENOENT;
	if (r < 0 && r != -ENOENT) {
		json_release(&w->said);
		json_release(&w->to_say);
		free(w->next_cause);
		free(w);
		return NULL;
	}
	w->is_known = w->is_saved = r == 0;
	if (!w->is_known)
		w->before = json_object();
	if (!spec->once)
		w->edges = trigger_set_new(l, &spec->edges, &hear);
	loop_timer_set(l, &w->settle, 0);
	loop_stage_add(l, &w->shutdown);
	return w;
}

void
watcher_free(struct watcher *w)
{
	if (!w)
		return;
	stop_listening(w);
	loop_stage_remove(w->loop, &w->shutdown);
	trigger_set_free(w->edges);
	json_release(&w->before);
	json_release(&w->after);
	json_release(&w->said);
	json_release(&w->to_say);
	free(w->cause);
	free(w->next_cause);
	free(w->held);
	free(w);
}
