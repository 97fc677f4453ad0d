#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/sdnotify.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/enumerate.h"
#include "component/missed.h"
#include "component/snapshot.h"
#include "component/watcher.h"

enum stage {
	WAITING,	/* for a trigger, or for things to be quiet */
	SCANNING,
	OFFERED,	/* the caller acts on what is new */
	HELD_BACK,	/* it was not acted on; another scan follows */
};

struct watcher {
	struct loop *loop;
	struct watcher_spec spec;
	struct watcher_callbacks callbacks;
	struct trigger_set *triggers;	/* NULL for one scan only */
	struct enumeration *scan;
	enum stage stage;
	int lock_fd;			/* of the state file; -1 for none */
	struct json before, after;	/* acted on; seen by this scan */
	struct json removed;		/* ids reported as removed since BEFORE */
	struct json said, to_say;	/* problems, objects for their keys: last scan, this scan */
	bool is_known;			/* BEFORE is a snapshot */
	bool is_saved;			/* and the file has it */
	bool woke;			/* what is offered calls for an evaluation */
	bool triggers_ready, scanned, told_ready, ending;
	bool unmonitored;		/* something may have come before it was monitored */
	enum exit_status worst;		/* of this scan */
	char *cause;			/* of this scan */
	char *next_cause;		/* of the next; NULL for none yet */
	char *held;			/* why it was last not acted on */
	bool pending;			/* a trigger came since the scan began */
	int64_t first_ms;		/* the first such */
	struct backoff backoff;
	struct loop_timer settle, later, period, watchdog;
	struct loop_stage shutdown;

	struct missed *missed;		/* by the agent */
	struct loop_timer offer_again;
};

/* Report TEXT unless it was reported at the last scan, too. */
static void
problem_report(struct watcher *w, enum exit_status status, const char *text)
{
	struct json v = json_get(w->said, text), u = json_get(w->to_say, text);

	if (json_kind(v) == JSON_NONE && json_kind(u) == JSON_NONE)
		w->callbacks.problem(status, text, w->callbacks.cookie);
	json_release(&v);
	json_release(&u);
	json_set(&w->to_say, text, json_null());
}

static void
inventory_problem(const struct fail *f, void *cookie)
{
	problem_report(cookie, f->status, f->text);
}

/* At each scan, so that the service manager's watchdog needs no wake-up of its own. */
static void
notify_watchdog(void *cookie)
{
	struct watcher *w = cookie;
	int64_t ms = sdnotify_watchdog_ms();

	if (ms == 0)
		return;
	sdnotify("WATCHDOG=1");
	loop_timer_set(w->loop, &w->watchdog, ms);
}

/* Time between scans without a trigger; 0 for no such scans. */
static int64_t
scan_period(const struct watcher *w)
{
	int64_t ms = w->spec.rescan_ms;

	return w->spec.poll_ms > 0 && (ms == 0 || w->spec.poll_ms < ms) ? w->spec.poll_ms : ms;
}

static void
set_period(struct watcher *w)
{
	if (scan_period(w) > 0)
		loop_timer_set(w->loop, &w->period, scan_period(w));
}

/*
 * A second scan, for what changed before it was monitored, is part of the start;
 * what a command does with the events of the first is not.
 */
static void
tell_ready(struct watcher *w)
{
	_cleanup_buf_ struct buf what = BUF_INIT;

	if (w->told_ready || !w->triggers_ready || !w->scanned ||
	    (w->unmonitored && (w->stage == WAITING || w->stage == SCANNING)))
		return;
	w->told_ready = true;
	sdnotify("READY=1");
	notify_watchdog(w);
	trigger_set_describe(w->triggers, &what);
	w->callbacks.ready(what.s, scan_period(w), w->callbacks.cookie);
}

/* Scan when it has been quiet, or has not been for long enough. */
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
on_triggered(const char *cause, void *cookie)
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
wait_for_trigger(struct watcher *w)
{
	w->stage = WAITING;
	if (w->ending)
		return;
	set_period(w);
	if (w->pending)
		wait_until_quiet(w);
}

/* --- the agent */

void
watcher_agent_changed(struct watcher *w)
{
	const char *cause = w->ending || w->spec.once || !w->scanned ? NULL : missed_cause(w->missed);

	if (cause)
		on_triggered(cause, w);
}

static void
offer_pause_over(void *cookie)
{
	on_triggered("agent-waiting", cookie);
}

/* --- the snapshot */

static int
snapshot_write(struct watcher *w)
{
	int r = w->spec.state && !w->is_saved ? snapshot_save(w->spec.state, w->before, missed_served(w->missed)) : 0;
	_cleanup_free_ char *why = NULL;

	w->is_saved = r == 0;
	if (r == 0)
		return 0;
	why = xasprintf("%s: %s", w->spec.state, strerror(-r));
	problem_report(w, EXIT_TROUBLE, why);
	return r;
}

/* The snapshot of this scan is the one to compare with from here on. */
static int
snapshot_commit(struct watcher *w)
{
	if (!w->is_known || !json_equal(w->before, w->after))
		w->is_saved = false;
	json_release(&w->before);
	w->before = json_copy(w->after);
	json_release(&w->after);
	json_release(&w->removed);
	w->removed = json_object();
	w->is_known = true;
	w->backoff.tries = 0;
	free(TAKE_PTR(w->held));
	return snapshot_write(w);
}

/* What this scan saw was acted on. */
static int
events_commit(struct watcher *w)
{
	if (missed_acted(w->missed))
		w->is_saved = false;
	return snapshot_commit(w);
}

/* A scan and what followed from it are done; events_commit() returned R. */
static void
scan_over(struct watcher *w, int r)
{
	json_release(&w->said);
	w->said = json_copy(w->to_say);
	json_release(&w->to_say);
	w->to_say = json_object();
	if (w->spec.once)
		w->callbacks.end(r < 0 ? EXIT_TROUBLE : w->worst != EXIT_OK ? w->worst :
		    w->woke ? EXIT_OK : EXIT_NO, w->callbacks.cookie);
	w->woke = false;
	notify_watchdog(w);
	wait_for_trigger(w);
	tell_ready(w);
}

void
watcher_acted(struct watcher *w, bool acted, const char *why)
{
	if (acted) {
		scan_over(w, events_commit(w));
		return;
	}
	if (!w->ending && (!w->held || strcmp(w->held, why) != 0))
		w->callbacks.problem(EXIT_TROUBLE, why, w->callbacks.cookie);
	free(w->held);
	w->held = xstrdup(why);
	json_release(&w->after);
	w->stage = HELD_BACK;
	if (w->spec.once)
		w->callbacks.end(EXIT_TROUBLE, w->callbacks.cookie);
	else if (!w->ending)
		loop_timer_set(w->loop, &w->later, backoff_next(&w->backoff));
	tell_ready(w);
}

/*
 * There is nothing to compare with yet: this scan is the baseline, and the agent is
 * served by what is offered next.  False at the end of the watcher.
 */
static bool
set_baseline(struct watcher *w)
{
	int r = 0;

	if (w->worst == EXIT_OK) {
		struct json after = json_copy(w->after);

		r = snapshot_commit(w);
		w->after = after;
	}
	if (w->worst == EXIT_OK && r == 0)
		return true;
	json_release(&w->after);
	w->callbacks.end(r < 0 ? EXIT_TROUBLE : w->worst, w->callbacks.cookie);
	return false;
}

/* --- scans */

static void
on_scanned(struct json components, enum exit_status worst, void *cookie)
{
	struct watcher *w = cookie;
	_cleanup_json_ struct json events = JSON_ABSENT;
	int64_t offer_ms;

	w->scan = NULL;
	w->scanned = true;
	w->worst = worst;
	if (w->triggers)
		trigger_set_end_scan(w->triggers, worst == EXIT_OK);
	w->after = snapshot_of(components, worst == EXIT_OK ? JSON_ABSENT : w->before);
	if (!w->is_known && !set_baseline(w))
		return;
	missed_end_scan(w->missed);
	events = snapshot_events(w->before, w->after, components, w->removed, w->cause, w->spec.all);
	offer_ms = missed_add(w->missed, components, &events);
	if (offer_ms > 0)
		loop_timer_set(w->loop, &w->offer_again, offer_ms);
	if (json_count(events) == 0) {
		scan_over(w, events_commit(w));
		return;
	}
	{
		_cleanup_json_ struct json ids = snapshot_waking_ids(events);

		w->woke = json_count(ids) > 0;
	}
	w->stage = OFFERED;
	w->callbacks.offer(events, w->callbacks.cookie);
	tell_ready(w);
}

/* What was reported as removed since the last scan counts for this one. */
static void
collect_removed(struct watcher *w)
{
	_cleanup_json_ struct json more = trigger_set_take_removed(w->triggers);

	for (struct json_iter it = json_begin(more); json_next(&it); )
		json_set(&w->removed, it.key, json_null());
}

static void
begin_scan(struct watcher *w)
{
	struct enumerate_spec spec = {
		.inventories = w->spec.triggers.inventories, .group = w->spec.group,
		.problem = inventory_problem, .cookie = w,
	};

	loop_timer_stop(w->loop, &w->settle);
	loop_timer_stop(w->loop, &w->later);
	loop_timer_stop(w->loop, &w->period);
	loop_timer_stop(w->loop, &w->offer_again);
	w->stage = SCANNING;
	w->pending = w->unmonitored = false;
	if (w->next_cause) {	/* else the one of the scan that was not acted on */
		free(w->cause);
		w->cause = TAKE_PTR(w->next_cause);
	}
	missed_begin_scan(w->missed);
	if (w->triggers) {
		spec.observer = trigger_set_begin_scan(w->triggers);
		collect_removed(w);
	}
	w->scan = enumerate_start(w->loop, &spec, on_scanned, w);
}

static void
on_settled(void *cookie)
{
	begin_scan(cookie);
}

static void
period_over(void *cookie)
{
	struct watcher *w = cookie;

	if (w->stage != WAITING || w->settle.set)
		return;		/* a scan follows anyway */
	w->next_cause = xstrdup(w->spec.poll_ms > 0 ? "poll" : "rescan");
	begin_scan(w);
}

static void
triggers_ready(void *cookie)
{
	struct watcher *w = cookie;

	w->triggers_ready = true;
	/* what a scan observes is monitored before it is examined: no second scan */
	if ((w->stage == WAITING && !w->scanned) || w->spec.triggers.follow) {
		tell_ready(w);
		return;
	}
	w->unmonitored = w->pending = true;
	w->first_ms = 0;	/* at once */
	if (!w->next_cause)
		w->next_cause = xstrdup("start");
	if (w->stage == WAITING)
		wait_until_quiet(w);
	tell_ready(w);
}

static void
triggers_problem(const char *text, void *cookie)
{
	struct watcher *w = cookie;

	w->callbacks.problem(EXIT_TROUBLE, text, w->callbacks.cookie);
}

static void
triggers_poll(void *cookie)
{
	struct watcher *w = cookie;

	if (w->spec.poll_ms == 0 || w->spec.poll_ms > TRIGGER_POLL_MS)
		w->spec.poll_ms = TRIGGER_POLL_MS;
	if (w->stage == WAITING && w->scanned)
		set_period(w);
}

void
watcher_stop(struct watcher *w)
{
	w->ending = true;
	if (w->scan)
		enumerate_cancel(TAKE_PTR(w->scan));
	loop_timer_stop(w->loop, &w->settle);
	loop_timer_stop(w->loop, &w->later);
	loop_timer_stop(w->loop, &w->period);
	loop_timer_stop(w->loop, &w->offer_again);
}

/* After the command has ended, and its result is committed: end what monitors. */
static void
stop_monitoring(void *cookie)
{
	struct watcher *w = cookie;

	watcher_stop(w);
	loop_timer_stop(w->loop, &w->watchdog);
	if (w->triggers)
		trigger_set_stop(w->triggers);
}

/* --- */

static int
load_state(struct watcher *w, struct fail *f)
{
	int r = snapshot_lock(w->spec.state, f);
	struct json served = JSON_ABSENT;

	if (r < 0)
		return r;
	w->lock_fd = r;
	r = snapshot_load(w->spec.state, &w->before, &served, f);
	missed_set_served(w->missed, served);
	w->is_known = w->is_saved = r == 0;
	return r == -ENOENT ? 0 : r;
}

struct watcher *
watcher_new(struct loop *l, const struct watcher_spec *spec,
    const struct watcher_callbacks *callbacks, struct fail *f)
{
	struct watcher *w = xcalloc(1, sizeof *w);
	const struct trigger_callbacks on = { on_triggered, triggers_ready, triggers_problem, triggers_poll, w };

	*w = (struct watcher){
		.loop = l, .spec = *spec, .callbacks = *callbacks, .lock_fd = -1,
		.before = JSON_ABSENT, .removed = json_object(),
		.said = json_object(), .to_say = json_object(),
		.next_cause = xstrdup("start"), .pending = true,
		.missed = missed_new(callbacks->agent, callbacks->cookie, spec->rescan_ms, spec->once),
		.settle = { .fn = on_settled, .cookie = w },
		.later = { .fn = on_settled, .cookie = w },
		.period = { .fn = period_over, .cookie = w },
		.offer_again = { .fn = offer_pause_over, .cookie = w },
		.watchdog = { .fn = notify_watchdog, .cookie = w },
		.shutdown = { .fn = stop_monitoring, .cookie = w },
	};
	loop_stage_add(l, &w->shutdown);
	if (spec->state && load_state(w, f) < 0) {
		watcher_free(w);
		return NULL;
	}
	if (!w->is_known)
		w->before = json_object();
	if (!spec->once)
		w->triggers = trigger_set_new(l, &spec->triggers, &on);
	loop_timer_set(l, &w->settle, 0);
	return w;
}

void
watcher_free(struct watcher *w)
{
	if (!w)
		return;
	stop_monitoring(w);
	loop_stage_remove(w->loop, &w->shutdown);
	trigger_set_free(w->triggers);
	missed_free(w->missed);
	json_release(&w->before);
	json_release(&w->after);
	json_release(&w->removed);
	json_release(&w->said);
	json_release(&w->to_say);
	io_closep(&w->lock_fd);
	free(w->cause);
	free(w->next_cause);
	free(w->held);
	free(w);
}
