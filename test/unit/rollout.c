#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/xalloc.h"
#include "fleet/rollout.h"

static struct rollout_policy
policy(const char *waves, uint32_t n)
{
	struct rollout_policy p = { .max_failed = ROLLOUT_PARTS / 20, .min_executed = 10, .timeout_ms = 1000 };
	struct fail f;

	assert(rollout_parse_waves(waves, n, &p, &f) == 0);
	return p;
}

static void
percentages_and_waves_are_read(void)
{
	static const char *const wrong[] = { "", "%", "5", "-1%", "101%", "5%%", "0x5%", "1e1%", " 5%", "nan%", "inf%" };
	static const char *const wrong_waves[] = { "", "50%", "50%,10%,100%", "a,100%", "0%,100%", "0,100%", "100", "-1,100%", "1%,100%x" };
	struct rollout_policy p;
	struct fail f;
	uint32_t parts;

	assert(rollout_parse_percent("5%", &parts) == 0 && parts == 500);
	assert(rollout_parse_percent("0.25%", &parts) == 0 && parts == 25);
	assert(rollout_parse_percent("100%", &parts) == 0 && parts == ROLLOUT_PARTS);
	assert(rollout_parse_percent("0%", &parts) == 0 && parts == 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert(rollout_parse_percent(wrong[i], &parts) < 0);
	for (size_t i = 0; i < sizeof wrong_waves / sizeof *wrong_waves; i++)
		assert(rollout_parse_waves(wrong_waves[i], 100, &p, &f) < 0 && f.status == EXIT_USAGE);
	p = policy("1%,10%,100%", 10000);
	assert(p.n_waves == 3 && p.waves[0] == 100 && p.waves[1] == 1000 && p.waves[2] == 10000);
	p = policy("1,5,100%", 3);
	assert(p.n_waves == 2 && p.waves[0] == 1 && p.waves[1] == 3);
	/* a part of a device is one */
	p = policy("1%,100%", 7);
	assert(p.n_waves == 2 && p.waves[0] == 1);
	p = policy("100%", 1);
	assert(p.n_waves == 1 && p.waves[0] == 1);
}

/* A device that has expired, which gets its outcome. */
static bool
expire(struct rollout *r, int64_t now, uint32_t *device)
{
	return rollout_expired(r, now, device) &&
	    rollout_result(r, *device, rollout_state(r, *device) == ROLLOUT_AGAIN ? ROLLOUT_BUSY : ROLLOUT_UNKNOWN, now);
}

static uint32_t
next(struct rollout *r, int64_t now)
{
	uint32_t device;

	assert(rollout_next(r, now, &device));
	return device;
}

static bool
gives_none(struct rollout *r, int64_t now)
{
	uint32_t device;

	return !rollout_next(r, now, &device);
}

static void
waves_pause_and_end(void)
{
	struct rollout_policy p = policy("1,3,100%", 4);
	struct rollout *r;

	p.pause_ms = 50;
	r = rollout_new(&p, 4);
	assert(next(r, 0) == 0 && gives_none(r, 0));
	assert(rollout_phase(r, 0) == ROLLOUT_RUNNING && rollout_due(r, 0) == 1000);
	assert(rollout_result(r, 0, ROLLOUT_SETTLED, 10));
	assert(rollout_phase(r, 10) == ROLLOUT_PAUSED && rollout_due(r, 10) == 60 && gives_none(r, 59));
	assert(next(r, 60) == 1 && next(r, 60) == 2 && gives_none(r, 60) && rollout_wave(r) == 1);
	assert(rollout_wave_of(r, 0) == 0 && rollout_wave_of(r, 2) == 1 && rollout_wave_of(r, 3) == 2);
	/* an absent device has executed nothing, and does not keep the wave */
	assert(rollout_result(r, 1, ROLLOUT_ABSENT, 61) && rollout_result(r, 2, ROLLOUT_FAILED, 61));
	assert(rollout_phase(r, 61) == ROLLOUT_PAUSED && gives_none(r, 110) && next(r, 111) == 3);
	rollout_free(r);
}

static void
a_deadline_makes_it_unknown_and_late_outcomes_count(void)
{
	struct rollout_policy p = policy("100%", 3);
	struct rollout *r = rollout_new(&p, 3);
	uint32_t device;

	assert(next(r, 0) == 0 && next(r, 5) == 1 && next(r, 6) == 2);
	assert(rollout_result(r, 1, ROLLOUT_SETTLED, 7));
	assert(!rollout_result(r, 1, ROLLOUT_FAILED, 8) && rollout_state(r, 1) == ROLLOUT_SETTLED);
	assert(!expire(r, 999, &device));
	assert(expire(r, 1000, &device) && device == 0 && !expire(r, 1000, &device));
	assert(rollout_due(r, 1000) == 1006 && rollout_total(r, ROLLOUT_UNKNOWN) == 1);
	assert(rollout_result(r, 0, ROLLOUT_SETTLED, 1001) && !rollout_result(r, 0, ROLLOUT_SETTLED, 1002));
	assert(rollout_total(r, ROLLOUT_UNKNOWN) == 0 && rollout_total(r, ROLLOUT_SETTLED) == 2);
	assert(expire(r, 1006, &device) && device == 2);
	assert(!rollout_result(r, 2, ROLLOUT_UNKNOWN, 1007));
	assert(rollout_phase(r, 1007) == ROLLOUT_DONE && rollout_due(r, 1007) == INT64_MAX);
	rollout_free(r);
}

static void
a_busy_device_is_asked_again(void)
{
	struct rollout_policy p = policy("1,100%", 2);
	struct rollout *r;
	uint32_t device;

	p.again_ms = 300;
	r = rollout_new(&p, 2);
	assert(next(r, 0) == 0);
	assert(!rollout_result(r, 0, ROLLOUT_BUSY, 10) && rollout_state(r, 0) == ROLLOUT_AGAIN);
	assert(!rollout_result(r, 0, ROLLOUT_BUSY, 11));	/* a duplicate */
	assert(gives_none(r, 309) && rollout_due(r, 11) == 310 && next(r, 310) == 0);
	/* the deadline is that of the first time; what would be asked after it stays busy */
	assert(rollout_deadline(r, 0) == 1000);
	assert(!rollout_result(r, 0, ROLLOUT_BUSY, 600) && next(r, 900) == 0);
	assert(rollout_result(r, 0, ROLLOUT_BUSY, 901) && rollout_state(r, 0) == ROLLOUT_BUSY);
	/* an answer while it waits to be asked again is one */
	assert(next(r, 1000) == 1 && !rollout_result(r, 1, ROLLOUT_BUSY, 1001) && rollout_result(r, 1, ROLLOUT_SETTLED, 1002));
	assert(gives_none(r, 2000) && rollout_phase(r, 2000) == ROLLOUT_DONE);
	rollout_free(r);
	/* after a stop it is busy at once */
	r = rollout_new(&p, 2);
	assert(next(r, 0) == 0 && !rollout_result(r, 0, ROLLOUT_BUSY, 10));
	rollout_stop(r);
	assert(expire(r, 10, &device) && device == 0 && rollout_state(r, 0) == ROLLOUT_BUSY);
	assert(rollout_phase(r, 10) == ROLLOUT_DONE);
	rollout_free(r);
}

static void
too_many_failures_halt(void)
{
	struct rollout_policy p = policy("100%", 1000);
	struct rollout *r = rollout_new(&p, 1000);

	for (uint32_t i = 0; i < 100; i++)
		assert(next(r, 0) == i);
	/* fewer than min-executed halt nothing */
	for (uint32_t i = 0; i < 9; i++)
		assert(rollout_result(r, i, ROLLOUT_FAILED, 1) && rollout_phase(r, 1) == ROLLOUT_RUNNING);
	rollout_free(r);
	r = rollout_new(&p, 1000);
	for (uint32_t i = 0; i < 100; i++)
		assert(next(r, 0) == i);
	for (uint32_t i = 0; i < 9; i++)
		assert(rollout_result(r, i, ROLLOUT_ABSENT, 1));
	for (uint32_t i = 9; i < 29; i++)
		assert(rollout_result(r, i, ROLLOUT_SETTLED, 1));
	assert(rollout_result(r, 29, ROLLOUT_FAILED, 1) && rollout_phase(r, 1) == ROLLOUT_RUNNING);	/* 1 of 21 */
	assert(rollout_result(r, 30, ROLLOUT_DENIED, 1));	/* 2 of 22 */
	assert(rollout_phase(r, 1) == ROLLOUT_HALTED && gives_none(r, 1));
	for (uint32_t i = 31; i < 100; i++)
		assert(rollout_result(r, i, ROLLOUT_SETTLED, 2));
	assert(rollout_phase(r, 2) == ROLLOUT_DONE && rollout_total(r, ROLLOUT_PENDING) == 900);
	rollout_free(r);
}

static void
a_restored_rollout_continues(void)
{
	struct rollout_policy p = policy("2,100%", 20);
	struct rollout *r = rollout_new(&p, 20);
	uint32_t device;

	rollout_restore_asked(r, 0, 500, 7000);
	rollout_restore_asked(r, 1, 1 << 30, 7000);	/* a clock that was wrong */
	rollout_restore_asked(r, 3, -5, 7000);		/* 2: its line is damaged */
	rollout_restore_outcome(r, 0, ROLLOUT_SETTLED);
	rollout_restored(r, false, 7000);
	assert(rollout_deadline(r, 1) == 8000 && rollout_state(r, 2) == ROLLOUT_ASKED);
	assert(rollout_wave(r) == 1 && next(r, 7000) == 4);
	assert(!expire(r, 7001, &device) || device == 3);
	rollout_free(r);
	/* halted stays halted */
	r = rollout_new(&p, 20);
	for (uint32_t i = 0; i < 12; i++) {
		rollout_restore_asked(r, i, 500, 0);
		rollout_restore_outcome(r, i, ROLLOUT_FAILED);
	}
	rollout_restore_halted(r, true);
	rollout_restored(r, false, 0);
	assert(gives_none(r, 0) && rollout_phase(r, 0) == ROLLOUT_DONE);
	rollout_free(r);
	/* resumed: what failed before does not count; the rest does */
	r = rollout_new(&p, 20);
	for (uint32_t i = 0; i < 9; i++) {
		rollout_restore_asked(r, i, 500, 0);
		rollout_restore_outcome(r, i, ROLLOUT_FAILED);
	}
	rollout_restore_halted(r, true);
	rollout_restored(r, true, 0);
	for (uint32_t i = 9; i < 20; i++) {
		assert(next(r, 0) == i);
		assert(rollout_result(r, i, i < 19 ? ROLLOUT_SETTLED : ROLLOUT_FAILED, 0));
	}
	assert(rollout_phase(r, 0) == ROLLOUT_DONE);
	rollout_free(r);
}

static void
the_rate_and_the_parallel_limit_hold(void)
{
	struct rollout_policy p = policy("100%", 1000);
	struct rollout *r;
	uint32_t device, asked = 0;

	p.per_minute = 600;	/* one in 100 ms */
	p.timeout_ms = 100000;
	r = rollout_new(&p, 1000);
	for (int64_t now = 0; now < 60000; now += 10) {
		while (rollout_next(r, now, &device))
			asked++;
		assert(rollout_due(r, now) > now);
	}
	assert(asked >= 599 && asked <= 603);
	rollout_free(r);
	p.per_minute = 0;
	p.parallel = 7;
	r = rollout_new(&p, 1000);
	for (asked = 0; rollout_next(r, 0, &device); asked++)
		;
	assert(asked == 7 && rollout_due(r, 0) == 100000);
	assert(rollout_result(r, 3, ROLLOUT_SETTLED, 1) && next(r, 1) == 7 && gives_none(r, 1));
	rollout_free(r);
}

/* --- a fleet of devices on a link that loses, delays and doubles, without sockets */

struct message {
	int64_t at;
	uint32_t device;
	uint8_t outcome;
	uint8_t times;
};

struct world {
	uint32_t n;
	uint64_t seed;
	uint8_t *carried_out;	/* how often each device did what it was asked for */
	uint8_t *counted;	/* outcomes that counted */
	struct message *heap;
	size_t n_heap, cap;
	int64_t lost_from, lost_to;	/* the broker is down */
	uint32_t sent, duplicates;
	/* the journal of the controller, which survives it */
	struct { uint32_t device; int64_t deadline; uint8_t outcome; } *journal;
	size_t n_journal, journal_cap;
};

static uint64_t
chance(struct world *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

static bool
percent_of(struct world *w, double p)
{
	return (double)(chance(w) >> 11) * 0x1p-53 < p / 100;
}

static void
heap_push(struct world *w, struct message m)
{
	size_t i = w->n_heap;

	w->heap = xgrow(w->heap, w->n_heap, &w->cap, sizeof *w->heap);
	w->n_heap++;
	for (; i > 0 && w->heap[(i - 1) / 2].at > m.at; i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = m;
}

static struct message
heap_pop(struct world *w)
{
	const struct message top = w->heap[0], last = w->heap[--w->n_heap];
	size_t i = 0, child;

	for (; (child = 2 * i + 1) < w->n_heap; i = child) {
		if (child + 1 < w->n_heap && w->heap[child + 1].at < w->heap[child].at)
			child++;
		if (w->heap[child].at >= last.at)
			break;
		w->heap[i] = w->heap[child];
	}
	w->heap[i] = last;
	return top;
}

static void
journal_put(struct world *w, uint32_t device, int64_t deadline, enum rollout_state outcome)
{
	w->journal = xgrow(w->journal, w->n_journal, &w->journal_cap, sizeof *w->journal);
	w->journal[w->n_journal].device = device;
	w->journal[w->n_journal].deadline = deadline;
	w->journal[w->n_journal++].outcome = (uint8_t)outcome;
}

/* The device's nature, the same each time it is asked: its id has one outcome. */
static enum rollout_state
nature(uint32_t device, double failing)
{
	const uint32_t h = (device + 1) * 2654435761U;

	return (double)(h >> 8) / (1 << 24) < failing ? ROLLOUT_FAILED : ROLLOUT_SETTLED;
}

/* Ask DEVICE at NOW, for the first time or once more: a device that knows the id repeats its outcome. */
static void
world_ask(struct world *w, uint32_t device, int64_t now, double failing)
{
	const bool late = percent_of(w, 5), twice = percent_of(w, 0.5);

	w->sent++;
	if (now >= w->lost_from && now < w->lost_to)
		return;
	if (percent_of(w, 0.05))
		return;
	if (!w->carried_out[device])
		w->carried_out[device]++;
	heap_push(w, (struct message){ now + (int64_t)(chance(w) % 500) + (late ? 70000 : 0), device, (uint8_t)nature(device, failing), 0 });
	if (twice)
		heap_push(w, (struct message){ now + 600, device, (uint8_t)nature(device, failing), 0 });
}

static struct rollout *
controller_start(struct world *w, const struct rollout_policy *p, int64_t now, double failing)
{
	struct rollout *r = rollout_new(p, w->n);

	for (size_t i = 0; i < w->n_journal; i++)
		if (w->journal[i].outcome == ROLLOUT_ASKED)
			rollout_restore_asked(r, w->journal[i].device, w->journal[i].deadline - now, now);
		else
			rollout_restore_outcome(r, w->journal[i].device, (enum rollout_state)w->journal[i].outcome);
	rollout_restored(r, false, now);
	for (uint32_t i = 0; i < w->n; i++)
		if (rollout_state(r, i) == ROLLOUT_ASKED)
			world_ask(w, i, now, failing);
	return r;
}

static void
outcomes_receive(struct world *w, struct rollout *r, int64_t now)
{
	while (w->n_heap > 0 && w->heap[0].at <= now) {
		const struct message m = heap_pop(w);

		if (m.at >= w->lost_from && m.at < w->lost_to)
			continue;
		if (rollout_state(r, m.device) == ROLLOUT_UNKNOWN)
			w->counted[m.device]--;
		if (rollout_result(r, m.device, (enum rollout_state)m.outcome, now)) {
			w->counted[m.device]++;
			journal_put(w, m.device, 0, (enum rollout_state)m.outcome);
		} else {
			w->duplicates++;
		}
	}
}

/* The whole rollout; the number of times the controller was killed into *KILLED. */
static struct rollout *
simulate(struct world *w, const struct rollout_policy *p, double failing, int kills)
{
	struct rollout *r = controller_start(w, p, 0, failing);
	const uint32_t kill_at[] = { w->n / 20, w->n / 2 };
	int killed = 0, lost = 0;
	uint32_t device, asked = 0;
	int64_t now = 0;

	while (rollout_phase(r, now) != ROLLOUT_DONE) {
		outcomes_receive(w, r, now);
		while (expire(r, now, &device)) {
			w->counted[device]++;
			journal_put(w, device, 0, rollout_state(r, device));
		}
		while (rollout_next(r, now, &device)) {
			if (device % 33 == 7) {	/* offline: known, and not asked */
				assert(rollout_result(r, device, ROLLOUT_ABSENT, now));
				w->counted[device]++;
				journal_put(w, device, 0, ROLLOUT_ABSENT);
				continue;
			}
			journal_put(w, device, rollout_deadline(r, device), ROLLOUT_ASKED);
			asked++;
			if (killed < kills && asked > kill_at[killed]) {	/* recorded, and killed before it is asked */
				killed++;
				rollout_free(r);
				now += 2000;
				r = controller_start(w, p, now, failing);
				continue;
			}
			world_ask(w, device, now, failing);
		}
		if (lost < 2 && asked > w->n / 4 * (uint32_t)(lost + 1)) {	/* and what was sent meanwhile is sent again */
			lost++;
			w->lost_from = now;
			w->lost_to = now + 1500;
		}
		if (w->lost_to > 0 && now >= w->lost_to) {
			w->lost_from = w->lost_to = 0;
			for (uint32_t i = 0; i < w->n; i++)
				if (rollout_state(r, i) == ROLLOUT_ASKED)
					world_ask(w, i, now, failing);
		}
		now += 50;
	}
	assert(killed == kills);
	return r;
}

static void
a_large_fleet(uint32_t n, double failing, bool halts)
{
	struct world w = { .n = n, .seed = 88172645463325252 };
	struct rollout_policy p = policy("1%,10%,100%", n);
	const clock_t began = clock();
	struct rollout *r;
	struct rusage use;
	uint32_t total = 0;

	p.max_failed = ROLLOUT_PARTS / 10;	/* with those that are late */
	p.min_executed = 150;	/* of the first few, too many may fail by chance */
	p.timeout_ms = 60000;
	p.parallel = 50000;
	p.pause_ms = 1000;
	w.carried_out = xcalloc(n, 1);
	w.counted = xcalloc(n, 1);
	r = simulate(&w, &p, failing, halts ? 0 : 2);
	for (uint32_t i = 0; i < n; i++) {
		const bool reached = rollout_state(r, i) != ROLLOUT_PENDING;

		assert(w.carried_out[i] <= 1);
		assert(w.counted[i] == reached);
		assert(!reached || rollout_state(r, i) >= ROLLOUT_SETTLED);
		/* an outcome is that of the device; only what was lost is unknown */
		if (rollout_state(r, i) == ROLLOUT_SETTLED || rollout_state(r, i) == ROLLOUT_FAILED)
			assert(rollout_state(r, i) == nature(i, failing) && w.carried_out[i] == 1);
	}
	for (int s = ROLLOUT_PENDING; s < ROLLOUT_STATES; s++)
		total += rollout_total(r, (enum rollout_state)s);
	assert(total == n);
	assert(rollout_is_halted(r) == halts);
	if (halts)
		assert(rollout_wave(r) == 0 && rollout_total(r, ROLLOUT_PENDING) >= n - n / 100);
	else
		assert(rollout_total(r, ROLLOUT_PENDING) == 0);
	getrusage(RUSAGE_SELF, &use);
	printf("# %u devices: %u settled, %u failed, %u absent, %u unknown; %u requests, %u duplicates; %.1f CPU s, %ld MB\n", n,
	    rollout_total(r, ROLLOUT_SETTLED), rollout_total(r, ROLLOUT_FAILED), rollout_total(r, ROLLOUT_ABSENT),
	    rollout_total(r, ROLLOUT_UNKNOWN), w.sent, w.duplicates, (double)(clock() - began) / CLOCKS_PER_SEC, use.ru_maxrss / 1024);
	rollout_free(r);
	free(w.carried_out);
	free(w.counted);
	free(w.heap);
	free(w.journal);
}

int
main(void)
{
	percentages_and_waves_are_read();
	waves_pause_and_end();
	a_deadline_makes_it_unknown_and_late_outcomes_count();
	a_busy_device_is_asked_again();
	too_many_failures_halt();
	a_restored_rollout_continues();
	the_rate_and_the_parallel_limit_hold();
	a_large_fleet(20000, 0.2, true);
	a_large_fleet(1000000, 0.01, false);
	a_large_fleet(1000000, 0.2, true);
	return 0;
}
