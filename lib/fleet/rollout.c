#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "fleet/rollout.h"

enum { RATE_BURST_US = 100000, MINUTE_US = 60000000 };

struct rollout_again {
	uint32_t device;
	int64_t due;
};

struct rollout {
	struct rollout_policy policy;
	uint32_t n;
	uint8_t *states;
	int64_t *deadlines;
	uint32_t next;			/* all below were asked */
	uint32_t oldest;		/* all below have an outcome */
	uint32_t totals[ROLLOUT_STATES];
	/* since the beginning, or since it was resumed: then an old outcome that changes may leave less than 0 */
	int64_t executed, failed;
	struct rollout_again *again;	/* in the order in which they are due, from AGAIN_FIRST on */
	size_t again_first, n_again, again_cap;
	enum rollout_phase phase;
	int wave;
	int64_t pause_end, rate_us;	/* when the next may be asked */
};

static const char *const names[] = {
	"pending", "asked", "again", "settled", "failed", "busy", "absent", "denied", "unknown",
};

/* --- the policy */

int
rollout_parse_percent(const char *text, uint32_t *parts)
{
	char *end;
	double v;

	if (*text < '0' || *text > '9' || strcspn(text, "xXeEpPnN") < strlen(text))
		return -EINVAL;
	v = strtod(text, &end);
	if (end == text || strcmp(end, "%") != 0 || !(v >= 0 && v <= 100))
		return -EINVAL;
	*parts = (uint32_t)(v * (ROLLOUT_PARTS / 100) + 0.5);
	return 0;
}

static int
wave_parse(const char *word, uint32_t n, uint32_t *end)
{
	uint32_t parts;
	int64_t count;

	if (strchr(word, '%')) {
		if (rollout_parse_percent(word, &parts) < 0 || parts == 0)
			return -EINVAL;
		*end = (uint32_t)(((uint64_t)n * parts + ROLLOUT_PARTS - 1) / ROLLOUT_PARTS);
		return 0;
	}
	if (num_parse(word, 1, UINT32_MAX, &count) < 0)
		return -EINVAL;
	*end = count > n ? n : (uint32_t)count;
	return 0;
}

int
rollout_parse_waves(const char *text, uint32_t n, struct rollout_policy *p, struct fail *f)
{
	_cleanup_free_ char *copy = xstrdup(text);
	char *save, *last = NULL;
	uint32_t end, before = 0;

	p->n_waves = 0;
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		if (wave_parse(w, n, &end) < 0)
			return fail_set(f, EXIT_USAGE, "waves: '%s' is neither a percentage nor a number of devices", w);
		if (end < before)
			return fail_set(f, EXIT_USAGE, "waves: '%s' is less than the wave before it", w);
		if (end > before && p->n_waves == ROLLOUT_WAVES_MAX)
			return fail_set(f, EXIT_USAGE, "waves: more than %d", ROLLOUT_WAVES_MAX);
		if (end > before)
			p->waves[p->n_waves++] = end;
		before = end;
		last = w;
	}
	if (!last || strcmp(last, "100%") != 0)
		return fail_set(f, EXIT_USAGE, "waves: '%s': the last must be 100%%", text);
	return 0;
}

/* --- */

struct rollout *
rollout_new(const struct rollout_policy *p, uint32_t n)
{
	struct rollout *r = xcalloc(1, sizeof *r);
	int64_t again = p->again_ms;

	r->policy = *p;
	if (again <= 0)
		again = p->timeout_ms / 20;
	if (p->again_ms <= 0)
		again = again < ROLLOUT_AGAIN_MIN_MS ? ROLLOUT_AGAIN_MIN_MS : again > ROLLOUT_AGAIN_MAX_MS ? ROLLOUT_AGAIN_MAX_MS : again;
	r->policy.again_ms = again;
	r->n = n;
	r->states = xcalloc(n ? n : 1, sizeof *r->states);
	r->deadlines = xcalloc(n ? n : 1, sizeof *r->deadlines);
	r->totals[ROLLOUT_PENDING] = n;
	return r;
}

void
rollout_free(struct rollout *r)
{
	if (!r)
		return;
	free(r->states);
	free(r->deadlines);
	free(r->again);
	free(r);
}

static bool
is_outcome(enum rollout_state s)
{
	return s >= ROLLOUT_SETTLED;
}

/* No outcome is awaited: of those that were given back none is. */
static bool
is_decided(enum rollout_state s)
{
	return s == ROLLOUT_PENDING || is_outcome(s);
}

static bool
is_failure(enum rollout_state s)
{
	return s == ROLLOUT_FAILED || s == ROLLOUT_DENIED || s == ROLLOUT_UNKNOWN;
}

static void
state_set(struct rollout *r, uint32_t device, enum rollout_state s)
{
	const enum rollout_state was = r->states[device];

	r->totals[was]--;
	r->totals[s]++;
	r->executed -= is_failure(was) || was == ROLLOUT_SETTLED;
	r->failed -= is_failure(was);
	r->executed += is_failure(s) || s == ROLLOUT_SETTLED;
	r->failed += is_failure(s);
	r->states[device] = (uint8_t)s;
}

static void
halt_check(struct rollout *r)
{
	if (r->executed < r->policy.min_executed)
		return;
	if (r->failed * ROLLOUT_PARTS > r->executed * r->policy.max_failed &&
	    (r->phase == ROLLOUT_RUNNING || r->phase == ROLLOUT_PAUSED))
		r->phase = ROLLOUT_HALTED;
}

/* --- an earlier run */

void
rollout_restore_asked(struct rollout *r, uint32_t device, int64_t left_ms, int64_t now)
{
	/* the clock of the other run may have been wrong */
	const int64_t left = left_ms < 0 ? 0 : left_ms > r->policy.timeout_ms ? r->policy.timeout_ms : left_ms;

	if (!is_outcome(r->states[device]))
		state_set(r, device, ROLLOUT_ASKED);
	r->deadlines[device] = now + left;
	if (r->next <= device)
		r->next = device + 1;
}

void
rollout_restore_outcome(struct rollout *r, uint32_t device, enum rollout_state outcome)
{
	state_set(r, device, outcome);
	if (r->next <= device)
		r->next = device + 1;
}

void
rollout_restore_halted(struct rollout *r, bool halted)
{
	r->phase = halted ? ROLLOUT_HALTED : ROLLOUT_RUNNING;
	if (!halted)
		r->executed = r->failed = 0;
}

void
rollout_restored(struct rollout *r, bool resume, int64_t now)
{
	/* a line that was damaged: it was asked, for those after it were */
	for (uint32_t i = 0; i < r->next; i++)
		if (r->states[i] == ROLLOUT_PENDING) {
			state_set(r, i, ROLLOUT_ASKED);
			r->deadlines[i] = now + r->policy.timeout_ms;
		}
	if (resume)
		rollout_restore_halted(r, false);
	else
		halt_check(r);
	while (r->wave < r->policy.n_waves - 1 && r->next > r->policy.waves[r->wave])
		r->wave++;
}

/* --- asking */

static uint32_t
wave_end(const struct rollout *r)
{
	return r->policy.n_waves ? r->policy.waves[r->wave] : r->n;
}

static uint32_t
awaited(const struct rollout *r)
{
	return r->totals[ROLLOUT_ASKED] + r->totals[ROLLOUT_AGAIN];
}

enum rollout_phase
rollout_phase(struct rollout *r, int64_t now)
{
	if (r->phase == ROLLOUT_PAUSED && now >= r->pause_end) {
		r->phase = ROLLOUT_RUNNING;
		r->wave++;
	}
	if (awaited(r) > 0)
		return r->phase;
	if (r->next == r->n || r->phase == ROLLOUT_HALTED || r->phase == ROLLOUT_STOPPED)
		return ROLLOUT_DONE;
	if (r->phase == ROLLOUT_RUNNING && r->next == wave_end(r)) {
		r->phase = ROLLOUT_PAUSED;
		r->pause_end = now + r->policy.pause_ms;
		return rollout_phase(r, now);
	}
	return r->phase;
}

static bool
again_next(struct rollout *r, int64_t now, uint32_t *device)
{
	while (r->again_first < r->n_again && r->again[r->again_first].due <= now) {
		*device = r->again[r->again_first++].device;
		if (r->again_first == r->n_again)
			r->again_first = r->n_again = 0;
		if (r->states[*device] == ROLLOUT_AGAIN)
			return true;
	}
	return false;
}

static bool
over_rate(const struct rollout *r, int64_t now)
{
	return r->policy.per_minute && now * 1000 < r->rate_us;
}

bool
rollout_next(struct rollout *r, int64_t now, uint32_t *device)
{
	if (rollout_phase(r, now) != ROLLOUT_RUNNING || over_rate(r, now) ||
	    (r->policy.parallel && r->totals[ROLLOUT_ASKED] >= r->policy.parallel))
		return false;
	if (!again_next(r, now, device)) {
		if (r->next >= wave_end(r))
			return false;
		*device = r->next++;
		r->deadlines[*device] = now + r->policy.timeout_ms;
	}
	state_set(r, *device, ROLLOUT_ASKED);
	if (r->policy.per_minute) {
		if (r->rate_us < now * 1000 - RATE_BURST_US)
			r->rate_us = now * 1000;
		r->rate_us += MINUTE_US / r->policy.per_minute;
	}
	return true;
}

void
rollout_give_back(struct rollout *r, uint32_t device)
{
	state_set(r, device, ROLLOUT_PENDING);
	rollout_stop(r);
}

bool
rollout_expired(struct rollout *r, int64_t now, uint32_t *device)
{
	const bool ended = r->phase == ROLLOUT_HALTED || r->phase == ROLLOUT_STOPPED;

	/* it will not be asked again */
	while (ended && r->again_first < r->n_again) {
		*device = r->again[r->again_first++].device;
		if (r->states[*device] == ROLLOUT_AGAIN)
			return true;
	}
	while (r->oldest < r->next && is_decided(r->states[r->oldest]))
		r->oldest++;
	if (r->oldest == r->next || r->deadlines[r->oldest] > now)
		return false;
	*device = r->oldest;
	return true;
}

bool
rollout_result(struct rollout *r, uint32_t device, enum rollout_state outcome, int64_t now)
{
	const bool running = r->phase == ROLLOUT_RUNNING || r->phase == ROLLOUT_PAUSED;
	const enum rollout_state was = r->states[device];

	if (was == ROLLOUT_PENDING || (is_outcome(was) && (was != ROLLOUT_UNKNOWN || outcome == ROLLOUT_UNKNOWN)))
		return false;
	if (outcome == ROLLOUT_BUSY && was == ROLLOUT_AGAIN && running && now < r->deadlines[device])
		return false;
	if (outcome == ROLLOUT_BUSY && was == ROLLOUT_ASKED && running && now + r->policy.again_ms < r->deadlines[device]) {
		r->again = xgrow(r->again, r->n_again, &r->again_cap, sizeof *r->again);
		r->again[r->n_again++] = (struct rollout_again){ device, now + r->policy.again_ms };
		state_set(r, device, ROLLOUT_AGAIN);
		return false;
	}
	state_set(r, device, outcome);
	halt_check(r);
	return true;
}

void
rollout_stop(struct rollout *r)
{
	if (r->phase == ROLLOUT_RUNNING || r->phase == ROLLOUT_PAUSED)
		r->phase = ROLLOUT_STOPPED;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
rollout_due(const struct rollout *r, int64_t now)
{
	const bool running = r->phase == ROLLOUT_RUNNING;
	const bool room = !r->policy.parallel || r->totals[ROLLOUT_ASKED] < r->policy.parallel;
	const int64_t rate = r->policy.per_minute ? (r->rate_us + 999) / 1000 : now;
	int64_t due = INT64_MAX;

	if (r->phase == ROLLOUT_PAUSED)
		due = r->pause_end;
	for (uint32_t i = r->oldest; i < r->next; i++)
		if (!is_decided(r->states[i])) {
			due = earlier(due, r->deadlines[i]);
			break;
		}
	if (running && room && r->next < wave_end(r))
		due = earlier(due, rate);
	if (running && room && r->again_first < r->n_again) {
		const int64_t at = r->again[r->again_first].due;

		due = earlier(due, at > rate ? at : rate);
	}
	return due;
}

/* --- asked about */

enum rollout_state
rollout_state(const struct rollout *r, uint32_t device)
{
	return r->states[device];
}

int64_t
rollout_deadline(const struct rollout *r, uint32_t device)
{
	return r->deadlines[device];
}

uint32_t
rollout_total(const struct rollout *r, enum rollout_state s)
{
	return r->totals[s];
}

bool
rollout_is_halted(const struct rollout *r)
{
	return r->phase == ROLLOUT_HALTED;
}

int
rollout_wave(const struct rollout *r)
{
	return r->wave;
}

int
rollout_wave_of(const struct rollout *r, uint32_t device)
{
	int w = 0;

	while (w < r->policy.n_waves - 1 && device >= r->policy.waves[w])
		w++;
	return w;
}

const char *
rollout_state_name(enum rollout_state s)
{
	return names[s];
}

enum rollout_state
rollout_outcome(const char *name)
{
	for (int s = ROLLOUT_SETTLED; s < ROLLOUT_STATES; s++)
		if (name && strcmp(names[s], name) == 0)
			return (enum rollout_state)s;
	return ROLLOUT_PENDING;
}
