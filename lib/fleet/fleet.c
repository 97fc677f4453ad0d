#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "fleet/fleet.h"

enum { BATCH = 256, REPORT_MS = 10000 };

/* A device whose outcome is in the journal, and not yet on disk. */
struct fleet_recorded {
	uint32_t device;
	int attempt;
};

struct fleet {
	struct fleet_spec spec;
	struct rollout *rollout;
	struct carrier *carrier;
	uint16_t *attempts;
	struct fleet_recorded *recorded;
	size_t n_recorded, recorded_cap;
	struct loop_timer pump;
	bool resuming;		/* devices of an earlier run are asked; results come, and nothing is pumped */
	bool was_halted, replay_halted;
	int signals, wave;
	int error;		/* a negative errno: the journal or the output failed, F says how */
	struct fail fail;
	int64_t damaged;
};

static void
pump_soon(struct fleet *t)
{
	if (!t->resuming)
		loop_timer_set(t->spec.loop, &t->pump, 0);
}

/* The journal or the output failed with F: nothing more is asked, as it could not be recorded. */
static void
fleet_fail(struct fleet *t, int error, const struct fail *f)
{
	if (!t->error) {
		t->error = error;
		t->fail = *f;
	}
	rollout_stop(t->rollout);
	pump_soon(t);
}

/* --- outcomes */

static void
outcome_add(struct fleet *t, const struct carrier_result *c, enum rollout_state outcome, bool late)
{
	_cleanup_json_ struct json v = json_object();
	struct json line = json_object();
	char now[CLOCK_TEXT];
	struct fail f;
	int r;

	json_set_text(&v, "device", roster_name(t->spec.roster, c->device));
	json_set_text(&v, "outcome", rollout_state_name(outcome));
	json_set(&v, "wave", json_number(rollout_wave_of(t->rollout, c->device) + 1));
	json_set_text(&v, "time", clock_now(now));
	if (late)
		json_set(&v, "late", json_bool(true));
	if (c->incarnation)
		json_set_text(&v, "incarnation", c->incarnation);
	if (c->details)
		json_set_text(&v, "details", c->details);
	if (json_kind(c->response) != JSON_NONE)
		json_set(&v, "response", json_copy(c->response));
	json_set_text(&line, "outcome", rollout_state_name(outcome));
	json_set(&line, "n", json_number(c->device));
	for (struct json_iter it = json_begin(v); json_next(&it); )
		if (strcmp(it.key, "outcome") != 0)
			json_set(&line, it.key, json_copy(it.value));
	if (rolloutlog_add(t->spec.journal, line, &f) < 0) {
		fleet_fail(t, -EIO, &f);
	} else {
		t->recorded = xgrow(t->recorded, t->n_recorded, &t->recorded_cap, sizeof *t->recorded);
		t->recorded[t->n_recorded++] = (struct fleet_recorded){ c->device, t->attempts[c->device] };
	}
	r = t->spec.outcome(v, t->spec.cookie);
	if (r < 0) {
		fail_errno(&f, r, "standard output");
		fleet_fail(t, r, &f);
	}
}

static void
on_result(const struct carrier_result *c, void *cookie)
{
	struct fleet *t = cookie;
	const bool late = rollout_state(t->rollout, c->device) == ROLLOUT_UNKNOWN;

	if (rollout_result(t->rollout, c->device, c->outcome, clock_mono_ms()))
		outcome_add(t, c, c->outcome, late);
	else
		logger_note(&t->spec.log, "%s: %s", roster_name(t->spec.roster, c->device),
		    rollout_state(t->rollout, c->device) == ROLLOUT_AGAIN ? "busy: it is asked again" : "a duplicate outcome");
	pump_soon(t);
}

static void
on_not_asked(uint32_t device, const struct fail *f, void *cookie)
{
	struct fleet *t = cookie;

	rollout_give_back(t->rollout, device);
	fleet_fail(t, -EIO, f);
}

static void
on_ready(const char *why, void *cookie)
{
	struct fleet *t = cookie;

	if (why)
		logger_info(&t->spec.log, "%s", why);
	pump_soon(t);
}

/* What was recorded is on disk, and the carrier may forget it. */
static void
records_sync(struct fleet *t)
{
	struct fail f;

	if (t->n_recorded == 0)
		return;
	if (rolloutlog_sync(t->spec.journal, &f) < 0) {
		fleet_fail(t, -EIO, &f);
		return;
	}
	for (size_t i = 0; i < t->n_recorded; i++)
		t->carrier->ops->recorded(t->carrier, t->recorded[i].device, t->recorded[i].attempt);
	t->n_recorded = 0;
}

/* --- asking */

static int
asked_add(struct fleet *t, uint32_t device, int64_t now, struct fail *f)
{
	struct json line = json_object();

	t->attempts[device]++;
	json_set(&line, "asked", json_number(device));
	json_set_text(&line, "device", roster_name(t->spec.roster, device));
	json_set(&line, "attempt", json_number(t->attempts[device]));
	json_set(&line, "deadline", json_number((double)(clock_wall_ms() + rollout_deadline(t->rollout, device) - now)));
	return rolloutlog_add(t->spec.journal, line, f);
}

static void
device_ask(struct fleet *t, uint32_t device, bool again, int64_t now)
{
	const struct carrier_ask ask = { device, t->attempts[device], again, rollout_deadline(t->rollout, device) - now };
	struct fail f;

	logger_note(&t->spec.log, "%s: asked as %s.%u", roster_name(t->spec.roster, device), rolloutlog_id(t->spec.journal), device);
	if (t->carrier->ops->ask(t->carrier, &ask, &f) < 0)
		on_not_asked(device, &f, t);
}

/* Ask what may be asked now: recorded first, on disk, then asked.  False where nothing was. */
static bool
batch_ask(struct fleet *t)
{
	const int64_t now = clock_mono_ms();
	uint32_t batch[BATCH];
	size_t n = 0, asked = 0;
	uint32_t device;
	struct fail f;
	int r = 0;

	while (n < BATCH && r == 0 && rollout_next(t->rollout, now, &device)) {
		if (t->carrier->ops->is_absent(t->carrier, device, false)) {
			const struct carrier_result gone = { .device = device, .outcome = ROLLOUT_ABSENT, .details = "offline" };

			asked++;
			on_result(&gone, t);
			continue;
		}
		batch[n++] = device;
		r = asked_add(t, device, now, &f);
	}
	if (r == 0 && n > 0)
		r = rolloutlog_sync(t->spec.journal, &f);
	if (r < 0) {
		for (size_t i = 0; i < n; i++)
			rollout_give_back(t->rollout, batch[i]);
		fleet_fail(t, r, &f);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		device_ask(t, batch[i], false, now);
	return n + asked > 0;
}

/* --- progress */

static void
totals_log(struct fleet *t, const char *what)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (int s = ROLLOUT_SETTLED; s < ROLLOUT_STATES; s++)
		if (rollout_total(t->rollout, (enum rollout_state)s) > 0)
			buf_printf(&b, "%s%u %s", b.len ? ", " : "", rollout_total(t->rollout, (enum rollout_state)s),
			    rollout_state_name((enum rollout_state)s));
	logger_info(&t->spec.log, "%s: %s", what, b.len ? b.s : "no outcome");
}

static void
progress_log(struct fleet *t)
{
	const int waves = t->spec.policy.n_waves, wave = rollout_wave(t->rollout);
	_cleanup_free_ char *text = xasprintf("wave %d of %d done", t->wave + 1, waves);

	if (wave != t->wave) {
		totals_log(t, text);
		t->wave = wave;
	}
	if (rollout_is_halted(t->rollout) && !t->was_halted) {
		struct json line = json_object();
		struct fail f;

		t->was_halted = true;
		json_set(&line, "halted", json_bool(true));
		totals_log(t, "halted: too many devices failed");
		if (rolloutlog_add(t->spec.journal, line, &f) < 0 || rolloutlog_sync(t->spec.journal, &f) < 0)
			fleet_fail(t, -EIO, &f);
	}
}

static void
device_expire(struct fleet *t, uint32_t device, int64_t now)
{
	const bool busy = rollout_state(t->rollout, device) == ROLLOUT_AGAIN;
	const bool absent = !busy && t->carrier->ops->is_absent(t->carrier, device, true);
	const struct carrier_result r = {
		.device = device, .outcome = busy ? ROLLOUT_BUSY : absent ? ROLLOUT_ABSENT : ROLLOUT_UNKNOWN,
		.details = busy ? "still busy" : absent ? "offline" : "no outcome before the deadline",
	};

	if (rollout_result(t->rollout, device, r.outcome, now))
		outcome_add(t, &r, r.outcome, false);
}

static void
on_pump(void *cookie)
{
	struct fleet *t = cookie;
	int64_t now = clock_mono_ms(), due;
	uint32_t device;

	while (rollout_expired(t->rollout, now, &device)) {
		device_expire(t, device, now);
	}
	progress_log(t);
	while (!t->error && t->carrier->ops->is_ready(t->carrier) && batch_ask(t))
		;
	records_sync(t);
	progress_log(t);
	if (rollout_phase(t->rollout, now) == ROLLOUT_DONE) {
		loop_stop(t->spec.loop, EXIT_OK);
		return;
	}
	now = clock_mono_ms();
	due = rollout_due(t->rollout, now);
	/* while the carrier is not ready, it says when it is */
	if (due <= now && !t->carrier->ops->is_ready(t->carrier))
		due = now + 1000;
	if (due != INT64_MAX)
		loop_timer_set(t->spec.loop, &t->pump, due > now ? due - now : 0);
}

/* --- start and end */

static void
line_replay(struct json line, void *cookie)
{
	struct fleet *t = cookie;
	_cleanup_json_ struct json asked = json_get(line, "asked"), n = json_get(line, "n"), halted = json_get(line, "halted");
	_cleanup_json_ struct json deadline = json_get(line, "deadline"), attempt = json_get(line, "attempt");
	const enum rollout_state outcome = rollout_outcome(json_get_text(line, "outcome"));
	int64_t device, at = 0, attempts = 1;

	if (json_get_whole(asked, &device) && device >= 0 && device < roster_count(t->spec.roster)) {
		(void)json_get_whole(deadline, &at);
		(void)json_get_whole(attempt, &attempts);
		t->attempts[device] = (uint16_t)attempts;
		rollout_restore_asked(t->rollout, (uint32_t)device, at - clock_wall_ms(), clock_mono_ms());
	} else if (json_get_whole(n, &device) && device >= 0 && device < roster_count(t->spec.roster) &&
	    outcome != ROLLOUT_PENDING) {
		rollout_restore_outcome(t->rollout, (uint32_t)device, outcome);
	} else if (json_kind(halted) == JSON_TRUE || json_kind(halted) == JSON_FALSE) {
		t->replay_halted = json_kind(halted) == JSON_TRUE;
		rollout_restore_halted(t->rollout, t->replay_halted);
	} else {
		t->damaged++;
	}
}

/* What the journal says; a rollout that was halted stays so, unless it is resumed. */
static int
journal_restore(struct fleet *t, struct fail *f)
{
	int64_t damaged;
	int r = rolloutlog_replay(t->spec.journal, line_replay, t, &damaged, f);

	if (r < 0)
		return r;
	if (damaged + t->damaged > 0)
		logger_info(&t->spec.log, "%jd damaged lines in the journal are left out", (intmax_t)(damaged + t->damaged));
	rollout_restored(t->rollout, t->spec.resume && t->replay_halted, clock_mono_ms());
	t->was_halted = t->replay_halted && !t->spec.resume;
	t->wave = rollout_wave(t->rollout);
	if (t->was_halted)
		logger_info(&t->spec.log, "the rollout was halted: --resume continues it");
	if (t->spec.resume && t->replay_halted) {
		struct json line = json_object();

		json_set(&line, "halted", json_bool(false));
		r = rolloutlog_add(t->spec.journal, line, f);
	}
	return r;
}

/* Devices that the run before asked, and of which it knew no outcome. */
static void
asked_resume(struct fleet *t)
{
	const int64_t now = clock_mono_ms();
	uint32_t n = 0;

	t->resuming = true;
	for (uint32_t i = 0; i < roster_count(t->spec.roster); i++)
		if (t->attempts[i] > 0 && rollout_state(t->rollout, i) != ROLLOUT_ASKED) {
			t->carrier->ops->recorded(t->carrier, i, t->attempts[i]);
		} else if (rollout_state(t->rollout, i) == ROLLOUT_ASKED) {
			if (t->attempts[i] == 0)
				t->attempts[i] = 1;
			device_ask(t, i, true, now);
			n++;
		}
	t->resuming = false;
	if (n > 0)
		logger_info(&t->spec.log, "%u devices were asked before, and their outcomes are awaited", n);
}

static void
on_signal(void *cookie)
{
	struct fleet *t = cookie;

	t->signals++;
	if (t->signals == 1) {
		logger_info(&t->spec.log, "no further device is asked; waiting for %u outcomes",
		    rollout_total(t->rollout, ROLLOUT_ASKED) + rollout_total(t->rollout, ROLLOUT_AGAIN));
		rollout_stop(t->rollout);
		pump_soon(t);
	} else if (t->signals > 2 || rolloutlog_is_kept(t->spec.journal) || !t->carrier->ops->stop(t->carrier)) {
		loop_stop(t->spec.loop, EXIT_OK);
	}
}

static int
fleet_status(struct fleet *t)
{
	const struct rollout *r = t->rollout;
	const uint32_t open = rollout_total(r, ROLLOUT_PENDING) + rollout_total(r, ROLLOUT_ASKED) + rollout_total(r, ROLLOUT_AGAIN);
	const uint32_t settled = rollout_total(r, ROLLOUT_SETTLED), unknown = rollout_total(r, ROLLOUT_UNKNOWN);

	if (rollout_is_halted(r) && open > 0)
		return EXIT_BUSY;
	if (settled + unknown + open < roster_count(t->spec.roster))
		return EXIT_NO;
	return unknown + open > 0 ? EXIT_TIMEOUT : EXIT_OK;
}

static void
summary_log(struct fleet *t)
{
	const uint32_t open = rollout_total(t->rollout, ROLLOUT_ASKED) + rollout_total(t->rollout, ROLLOUT_AGAIN);
	const uint32_t pending = rollout_total(t->rollout, ROLLOUT_PENDING);
	_cleanup_free_ char *text = xasprintf("%u devices", roster_count(t->spec.roster));

	totals_log(t, text);
	if (pending > 0)
		logger_info(&t->spec.log, "%u devices were not asked", pending);
	if (open > 0)
		logger_info(&t->spec.log, "%u devices were asked, and have no outcome yet", open);
}

int
fleet_run(const struct fleet_spec *spec, struct fail *f)
{
	struct fleet t = { .spec = *spec };
	const struct carrier_callbacks cb = { on_result, on_not_asked, on_ready, &t };
	int r;

	t.pump = (struct loop_timer){ .fn = on_pump, .cookie = &t };
	t.rollout = rollout_new(&spec->policy, roster_count(spec->roster));
	t.attempts = xcalloc(roster_count(spec->roster), sizeof *t.attempts);
	r = journal_restore(&t, f);
	if (r == 0) {
		t.carrier = spec->carrier(&cb, spec->cookie, f);
		r = t.carrier ? 0 : -EINVAL;
	}
	if (r == 0) {
		loop_signal(spec->loop, SIGINT, on_signal, &t);
		loop_signal(spec->loop, SIGTERM, on_signal, &t);
		asked_resume(&t);
		pump_soon(&t);
		(void)loop_run(spec->loop);
		records_sync(&t);
		summary_log(&t);
		r = t.error ? t.error : fleet_status(&t);
		if (t.error)
			*f = t.fail;
	}
	if (t.carrier)
		t.carrier->ops->free(t.carrier);
	rollout_free(t.rollout);
	free(t.attempts);
	free(t.recorded);
	return r;
}
