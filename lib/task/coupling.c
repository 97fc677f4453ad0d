#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hlc.h"
#include "base/xalloc.h"
#include "task/coupling.h"

enum { FIRST_ANSWER_MS = 15000, RENEWALS_MAX = 20 };

struct coupling {
	struct coupling_spec spec;
	struct task_link link;
	struct hlc clock;
	int64_t session;
	int64_t agent_run;		/* the agent's, at its last answer */
	bool taken_up;			/* the session was there before us */
	int renewals;			/* how often its id was another controller's */
	bool ever_coupled;
	struct client_request *couple, *beat;
	struct loop_timer couple_timer, beat_timer;
	unsigned int tries;
	int64_t begun_ms, suspect_ms;
};

/* --- the link's state */

static void
arm_beat(struct coupling *c)
{
	int64_t next = link_next(&c->link), now = clock_boot_ms();

	if (next != INT64_MAX)
		loop_timer_set(c->spec.loop, &c->beat_timer, next > now ? next - now : 0);
	else
		loop_timer_stop(c->spec.loop, &c->beat_timer);
}

static struct json
link_event(const struct coupling *c)
{
	struct json v = taskevent_new("link");

	json_set_text(&v, "state", link_state_name(c->link.state));
	json_set_text(&v, "target", c->spec.name);
	return v;
}

/* The state was BEFORE; RESTARTED: the agent was, meanwhile.  Each change is reported once. */
static void
note_link(struct coupling *c, enum link_state before, bool restarted)
{
	struct json v;

	if (c->link.state == before)
		return;
	v = link_event(c);
	if (c->link.state == LINK_SUSPECT) {
		c->suspect_ms = clock_boot_ms();
		taskevent_report(&c->spec.events, v, "no answer to two heartbeats; waiting for the connection");
	} else if (c->link.state == LINK_COUPLED && before == LINK_SUSPECT) {
		json_set(&v, "restarted", json_bool(restarted));
		taskevent_report(&c->spec.events, v, "reconnected after %jd s%s",
		    (intmax_t)((clock_boot_ms() - c->suspect_ms + 999) / 1000),
		    restarted ? "; the task agent was restarted, its tasks are alive" : "");
		c->spec.callbacks.reconnected(c->spec.callbacks.cookie);
	} else if (c->link.state == LINK_LOST) {
		json_set(&v, "safe_after", json_number((double)clock_wall_ms()));
		taskevent_report(&c->spec.events, v,
		    "lost; no process of its tasks can be alive any more, what they did is not known");
		c->spec.callbacks.lost(c->spec.callbacks.cookie);
	} else {
		json_release(&v);
	}
}

/* --- heartbeats */

/* Is the agent another process than at its last answer? */
static bool
see_agent_run(struct coupling *c, struct json answer)
{
	_cleanup_json_ struct json run = json_get(answer, "taskd_run");
	int64_t before = c->agent_run;

	return json_get_whole(run, &c->agent_run) && before != 0 && before != c->agent_run;
}

static void
beat_answered(const struct client_answer *a, void *cookie)
{
	struct coupling *c = cookie;
	_cleanup_json_ struct json n = json_get(a->v, "n"), now = json_get(a->v, "now");
	const enum link_state before = c->link.state;
	bool restarted = false;
	int64_t number, seen;

	c->beat = NULL;
	if (!a->f && a->status == 200 && json_get_whole(n, &number) && json_get_whole(now, &seen)) {
		restarted = see_agent_run(c, a->v);
		link_answer(&c->link, number, seen, clock_boot_ms());
	} else if (!a->f && a->status == 404) {
		coupling_renew(c);
		return;
	} else if (!a->f && a->status == 409) {
		struct fail f;

		fail_set(&f, EXIT_BUSY, "%s: another controller has taken over the session", c->spec.name);
		c->spec.callbacks.failed(&f, c->spec.callbacks.cookie);
		return;
	} else {
		link_fail(&c->link, clock_boot_ms());
	}
	note_link(c, before, restarted);
	arm_beat(c);
}

static void
beat_send(struct coupling *c)
{
	_cleanup_json_ struct json v = json_object();

	if (client_is_connecting(c->beat))
		return;		/* it is the same heartbeat, and waits for ssh */
	json_set(&v, "id", json_number((double)coupling_new_id(c)));
	json_set(&v, "session", json_number((double)c->session));
	json_set(&v, "n", json_number((double)c->link.n));
	json_set(&v, "seen", json_number((double)c->link.seen));
	client_cancel(c->beat);
	c->beat = client_post(c->spec.client, "/1/beat", v, c->link.timing.answer_ms, beat_answered, c);
}

static void
beat_next(void *cookie)
{
	struct coupling *c = cookie;
	const enum link_state before = c->link.state;

	if (link_step(&c->link, clock_boot_ms()))
		beat_send(c);
	note_link(c, before, false);
	arm_beat(c);
}

/* --- the session */

static void
session_made(struct coupling *c, struct json v)
{
	_cleanup_json_ struct json now = json_get(v, "now"), store = json_get(v, "store"), last = json_get(v, "history");
	int64_t seen = 0, id;

	json_get_whole(now, &seen);
	/* new ids are later than the agent's store, which may have been made a moment ago */
	if (json_get_whole(store, &id))
		hlc_see(&c->clock, id);
	if (json_get_whole(last, &id))
		hlc_see(&c->clock, id);
	see_agent_run(c, v);
	link_couple(&c->link, seen, clock_boot_ms());
	c->link.n = 0;
	c->tries = 0;
	c->ever_coupled = true;
	arm_beat(c);
	c->spec.callbacks.coupled(v, c->spec.callbacks.cookie);
}

/*
 * The first request tells whether there is an agent at all.  One that is about
 * to be started is waited for; and a session that was there before is waited
 * for as long as its tasks may be alive.
 */
static bool
may_give_up(const struct coupling *c, const struct client_answer *a)
{
	const int64_t waited = clock_boot_ms() - c->begun_ms;

	if (c->ever_coupled)
		return false;
	if (c->taken_up)
		return waited > c->link.timing.lease_ms + c->link.timing.grace_ms;
	return (a->f && (a->f->status == EXIT_ABSENT || a->f->status == EXIT_DENIED)) ||
	    waited > FIRST_ANSWER_MS;
}

bool
coupling_is_final(const struct client_answer *a)
{
	return !a->f && a->status >= 400 && a->status < 500 && a->status != 408 && a->status != 429;
}

/* Another controller happened to give its session the id of ours, which is new. */
static bool
is_anothers(struct coupling *c, const struct client_answer *a)
{
	const char *word = json_get_text(a->v, "error");

	return a->status == 409 && !c->taken_up && word && strcmp(word, "differs") == 0 && c->renewals++ < RENEWALS_MAX;
}

/* The next id is over those whose sessions are over, whatever the clock says. */
static void
see_floor(struct coupling *c, struct json answer)
{
	_cleanup_json_ struct json above = json_get(answer, "above");
	int64_t id;

	if (json_get_whole(above, &id))
		hlc_see(&c->clock, id);
}

static void
couple_answered(const struct client_answer *a, void *cookie)
{
	struct coupling *c = cookie;
	struct fail f;

	c->couple = NULL;
	if (!a->f && a->status >= 200 && a->status < 300) {
		session_made(c, a->v);
	} else if (!a->f && (a->status == 404 || is_anothers(c, a))) {
		see_floor(c, a->v);
		coupling_renew(c);
	} else if (coupling_is_final(a) || may_give_up(c, a)) {
		client_explain(a, c->spec.name, &f);
		c->spec.callbacks.failed(&f, c->spec.callbacks.cookie);
	} else {
		loop_timer_set(c->spec.loop, &c->couple_timer, link_resend_ms(c->tries++));
	}
}

static void
couple_send(void *cookie)
{
	struct coupling *c = cookie;
	_cleanup_json_ struct json v = json_object();

	if (c->couple)
		return;
	json_set(&v, "id", json_number((double)c->session));
	json_set_text(&v, "controller", c->spec.label);
	json_set(&v, "run", json_number((double)controller_run(c->spec.controller)));
	json_set(&v, "period_ms", json_number((double)c->link.timing.period_ms));
	json_set(&v, "lease_ms", json_number((double)c->link.timing.lease_ms));
	json_set_text(&v, "on_loss", c->link.timing.leave ? "leave" : "kill");
	/* the first connection may have to wait for ssh, and the agent for its start */
	c->couple = client_post(c->spec.client, "/1/session", v, c->link.timing.answer_ms * (c->ever_coupled ? 1 : 3),
	    couple_answered, c);
}

void
coupling_renew(struct coupling *c)
{
	struct fail f;

	if (c->couple)
		return;
	client_cancel(c->beat);
	c->beat = NULL;
	c->link.state = LINK_NEW;
	c->taken_up = false;
	c->session = coupling_claim_id(c, &f);
	if (c->session < 0) {
		c->spec.callbacks.failed(&f, c->spec.callbacks.cookie);
		return;
	}
	arm_beat(c);
	loop_timer_set(c->spec.loop, &c->couple_timer, 0);
}

struct coupling *
coupling_new(const struct coupling_spec *spec, struct fail *f)
{
	struct coupling *c = xcalloc(1, sizeof *c);

	*c = (struct coupling){ .spec = *spec, .session = spec->session, .taken_up = spec->session != 0,
	    .begun_ms = clock_boot_ms() };
	c->couple_timer = (struct loop_timer){ .fn = couple_send, .cookie = c };
	c->beat_timer = (struct loop_timer){ .fn = beat_next, .cookie = c };
	hlc_see(&c->clock, spec->above);
	if (link_init(&c->link, &spec->timing) < 0) {
		fail_set(f, EXIT_USAGE, "twice the period is more than the lease");
		coupling_free(c);
		return NULL;
	}
	if (c->session == 0)
		c->session = coupling_claim_id(c, f);
	if (c->session < 0) {
		coupling_free(c);
		return NULL;
	}
	loop_timer_set(spec->loop, &c->couple_timer, 0);
	return c;
}

void
coupling_free(struct coupling *c)
{
	if (!c)
		return;
	client_cancel(c->couple);
	client_cancel(c->beat);
	loop_timer_stop(c->spec.loop, &c->couple_timer);
	loop_timer_stop(c->spec.loop, &c->beat_timer);
	free(c);
}

int64_t
coupling_session(const struct coupling *c)
{
	return c->session;
}

enum link_state
coupling_state(const struct coupling *c)
{
	return c->link.state;
}

int64_t
coupling_new_id(struct coupling *c)
{
	return hlc_next_us(&c->clock, clock_wall_us());
}

int64_t
coupling_claim_id(struct coupling *c, struct fail *f)
{
	int64_t id = controller_claim_id(c->spec.controller, coupling_new_id(c), f);

	hlc_see(&c->clock, id);
	return id;
}
