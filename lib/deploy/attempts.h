/*
 * attempts - how often each step was installed on each component, and when it may
 * be tried again.
 *
 * Attempts count per (workflow, step, component).  An attempt is on disk before
 * the installation begins, so one that a crash interrupts counts as well.
 * After N attempts the next one is due when DELAYS_MS[N - 1] (the last one
 * repeats) has passed; after MAX attempts there is none.  A retry changes nothing
 * of this.  The count begins anew
 *	- with another workflow;
 *	- when the component's version or identity (name, group, manufacturer, model,
 *	  serial) is one that it had before none of the attempts;
 *	- SETTLED_MS after a success; before that, a component that has lost what was
 *	  installed fell back, and its first repetition is due at once;
 *	- by attempts_reset().
 *
 * STATE/attempts.jsonl has a record a line:
 *
 *	{"workflow","step","component","identity","wall_ms","boot","boot_ms"}	an attempt,
 *					with "anew":true where the count begins with it
 *	{"workflow","step","component","installed":true|false}		apply is to come
 *	{"workflow","step","component","need":"reboot"|"restart","of","boot","boot_ms"}
 *					it asks for that; OF is what has to change
 *	{"workflow","step","component","ok":true}				its success
 *
 * The time since an attempt is that of the boot clock within one boot, else that
 * of the wall clock, taken as at least 0: a clock that was set can hold a step
 * back for one delay, and never longer.
 */
#ifndef DEPLOY_ATTEMPTS_H
#define DEPLOY_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"

enum {
	ATTEMPTS_DELAYS = 8,
	ATTEMPTS_SETTLED_MS = 10 * 60 * 1000,
	ATTEMPTS_RESETS = 8,	/* by an identity that is new: a device that makes up versions is bounded, too */
};

struct attempts_policy {
	int64_t max;				/* at least 1 */
	int64_t delays_ms[ATTEMPTS_DELAYS];
	size_t n_delays;			/* at least 1 */
};

struct attempts;

/* Read what DIR holds; POLICY must live as long. */
int attempts_open(const char *dir, const struct attempts_policy *policy, struct attempts **out,
    struct fail *f);

/* A may be NULL. */
void attempts_close(struct attempts *a);

/* Attempts of another workflow than this one are forgotten. */
void attempts_set_workflow(struct attempts *a, const char *workflow);

/* All attempts are forgotten. */
void attempts_reset(struct attempts *a);

enum attempts_answer {
	ATTEMPTS_DUE,
	ATTEMPTS_HELD,		/* until the delay has passed */
	ATTEMPTS_EXHAUSTED,	/* there were MAX attempts */
};

/*
 * May STEP be installed on COMPONENT (JSON_ABSENT for the host) now?  *DONE is the
 * number of attempts so far, *WAIT_MS (if HELD) the time until the next one is due.
 */
enum attempts_answer attempts_check(struct attempts *a, const char *step, struct json component,
    int64_t *done, int64_t *wait_ms);

/* An attempt begins; it is on disk when this returns 0. */
int attempts_begin(struct attempts *a, const char *step, struct json component, struct fail *f);

/*
 * Its installation has succeeded, and apply is still to come (IS_INSTALLED), or has
 * ended: one that another agent has installed is not installed again.
 */
void attempts_set_installed(struct attempts *a, const char *step, const char *component, bool is_installed);
bool attempts_is_installed(struct attempts *a, const char *step, struct json component);

/* There is (or is no more) a backup of what STEP replaces on COMPONENT: 0, or -errno where that cannot be kept. */
int attempts_set_backup(struct attempts *a, const char *step, const char *component, bool has_backup);
bool attempts_has_backup(struct attempts *a, const char *step, const char *component);

/*
 * What a step waits for before it can go on: a reboot of the device, proved by
 * another boot id or start of process 1; or a restart of the agent, proved by
 * another incarnation.
 */
enum attempts_need { ATTEMPTS_NEED_NONE, ATTEMPTS_NEED_RESTART, ATTEMPTS_NEED_REBOOT };

/* What the result code CODE of install or apply (deploy/handler_result.h) asks for. */
enum attempts_need attempts_need_of(int32_t code);

/* The step asks for NEED, from now on; on disk when this returns.  Returns how often it has asked. */
int64_t attempts_ask(struct attempts *a, const char *step, const char *component, enum attempts_need need);

/* What it still waits for; *AGE_MS (may be NULL) is how long. */
enum attempts_need attempts_needs(struct attempts *a, const char *step, struct json component, int64_t *age_ms);

/* The workflow that is counted; NULL for none. */
const char *attempts_workflow(const struct attempts *a);

/* The attempt has succeeded. */
void attempts_succeed(struct attempts *a, const char *step, struct json component);

#endif
