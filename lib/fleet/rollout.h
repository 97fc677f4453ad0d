/*
 * rollout - which device of a fleet is asked next, and when to stop asking: waves, an
 * abort threshold, a rate, deadlines.  No transport, no files and no clock of its own.
 *
 *	device	PENDING -> ASKED -> SETTLED | FAILED | BUSY | ABSENT | DENIED | UNKNOWN
 *	                    ^  |
 *	                    +- AGAIN	it was busy, and is asked again after a while
 *
 *	phase	RUNNING -> PAUSED -> RUNNING	between waves
 *		        -> HALTED		too many failed: no further device is asked
 *		        -> STOPPED		the caller wants no further device to be asked
 *		        -> DONE			and no outcome is awaited
 *
 * Devices are the numbers 0 to N-1, and are asked in this order.  A device without an outcome
 * at its deadline is UNKNOWN, or BUSY where it was AGAIN.  An outcome that comes later
 * still counts, in place of UNKNOWN.
 *
 * Executed are SETTLED, FAILED, DENIED and UNKNOWN; the last three have failed.  When at least
 * MIN_EXECUTED devices are executed, and more of them have failed than MAX_FAILED allows, the
 * rollout is halted: at each outcome, not only at the end of a wave (AWS IoT Jobs,
 * AbortCriteria).  An absent or busy device has executed nothing.
 *
 * Times are milliseconds of one clock that does not go back.
 */
#ifndef FLEET_ROLLOUT_H
#define FLEET_ROLLOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"

enum { ROLLOUT_WAVES_MAX = 32, ROLLOUT_PARTS = 10000, ROLLOUT_AGAIN_MIN_MS = 1000, ROLLOUT_AGAIN_MAX_MS = 30000 };

enum rollout_state {
	ROLLOUT_PENDING, ROLLOUT_ASKED, ROLLOUT_AGAIN,
	/* outcomes */
	ROLLOUT_SETTLED, ROLLOUT_FAILED, ROLLOUT_BUSY, ROLLOUT_ABSENT, ROLLOUT_DENIED, ROLLOUT_UNKNOWN,
	ROLLOUT_STATES
};

enum rollout_phase { ROLLOUT_RUNNING, ROLLOUT_PAUSED, ROLLOUT_HALTED, ROLLOUT_STOPPED, ROLLOUT_DONE };

struct rollout_policy {
	uint32_t waves[ROLLOUT_WAVES_MAX];	/* ends: the number of devices up to each, ascending; the last is N */
	int n_waves;
	uint32_t max_failed;	/* of ROLLOUT_PARTS parts */
	uint32_t min_executed;
	uint32_t per_minute;	/* 0: no limit */
	uint32_t parallel;	/* ASKED at a time; 0: no limit */
	int64_t pause_ms, timeout_ms;
	int64_t again_ms;	/* until a busy device is asked again; 0: a twentieth of the timeout, within the bounds above */
};

/*
 * The ends of the waves of TEXT, "1%,10%,100%" or numbers of devices, for N devices.  EXIT_USAGE:
 * wrong, not ascending, or the last is not 100%.  A wave that adds no device is left out.
 */
int rollout_parse_waves(const char *text, uint32_t n, struct rollout_policy *p, struct fail *f);

/* "5%", "0.25%" into parts of ROLLOUT_PARTS; -EINVAL. */
int rollout_parse_percent(const char *text, uint32_t *parts);

struct rollout;

struct rollout *rollout_new(const struct rollout_policy *p, uint32_t n);
void rollout_free(struct rollout *r);

/*
 * What an earlier run has recorded, in its order, before anything else.  LEFT_MS is left
 * until the deadline.  DEVICE must be less than N.
 */
void rollout_restore_asked(struct rollout *r, uint32_t device, int64_t left_ms, int64_t now);
void rollout_restore_outcome(struct rollout *r, uint32_t device, enum rollout_state outcome);
void rollout_restore_halted(struct rollout *r, bool halted);

/* Continue.  RESUME: although it was halted; what failed before counts no longer towards a halt. */
void rollout_restored(struct rollout *r, bool resume, int64_t now);

/*
 * The next device to be asked now, which becomes ASKED: false for none.  Also one that was
 * busy; its deadline stays.
 */
bool rollout_next(struct rollout *r, int64_t now, uint32_t *device);

/* DEVICE, which rollout_next() gave, was not asked: it is PENDING, and no further device is asked. */
void rollout_give_back(struct rollout *r, uint32_t device);

/*
 * A device whose deadline has passed, or that will not be asked again: false for none.  The caller gives its
 * outcome at once, BUSY where it is AGAIN, else UNKNOWN or ABSENT.
 */
bool rollout_expired(struct rollout *r, int64_t now, uint32_t *device);

/*
 * OUTCOME of DEVICE is known.  False where it does not count: a duplicate, or BUSY of a device
 * that will be asked again.
 */
bool rollout_result(struct rollout *r, uint32_t device, enum rollout_state outcome, int64_t now);

/* Ask no further device. */
void rollout_stop(struct rollout *r);

enum rollout_phase rollout_phase(struct rollout *r, int64_t now);

/* When rollout_next(), rollout_expired() or rollout_phase() may say something else; INT64_MAX: with the next result. */
int64_t rollout_due(const struct rollout *r, int64_t now);

enum rollout_state rollout_state(const struct rollout *r, uint32_t device);
int64_t rollout_deadline(const struct rollout *r, uint32_t device);
uint32_t rollout_total(const struct rollout *r, enum rollout_state s);
bool rollout_is_halted(const struct rollout *r);
int rollout_wave(const struct rollout *r);			/* the present one, from 0 */
int rollout_wave_of(const struct rollout *r, uint32_t device);

const char *rollout_state_name(enum rollout_state s);
/* The outcome called NAME; ROLLOUT_PENDING where there is none. */
enum rollout_state rollout_outcome(const char *name);

#endif
