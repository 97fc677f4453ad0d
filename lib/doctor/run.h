/*
 * run - one run of the doctor: the agent that is checked, and the findings.
 *
 * Each check (doctor/checks.h) adds findings.  A finding is an object ("/run/x.fifo"),
 * a state (ok, warn, fail), what was found, and advice where it is not ok.  A
 * check may offer a fix for a finding; it is applied only if FIX is set.  Without
 * FIX a run changes nothing.
 *
 * Strings of a finding are owned by the run.  A check reports trouble of its own
 * (a file that it may not read) as a warning, never as ok.
 */
#ifndef DOCTOR_RUN_H
#define DOCTOR_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"

struct doctor_run;
struct finding;

enum check_scope {
	CHECK_PROFILE,		/* of an agent, also if its profile cannot be used */
	CHECK_AGENT,		/* of an agent; skipped if its profile cannot be used */
	CHECK_MACHINE,		/* of this machine, whatever the agent */
};

/* An entry of the table of checks. */
struct check {
	const char *name;		/* the operand of rejoin-doctor */
	const char *subject;		/* what is checked, for --list */
	enum check_scope scope;
	void (*test)(struct doctor_run *x);	/* adds findings */
	/*
	 * Repairs what F->fault names.  0, with what was done in DONE; or -errno.
	 * NULL if the check offers no fix.
	 */
	int (*fix)(struct doctor_run *x, const struct finding *f, struct buf *done, struct fail *why);
};

enum finding_state { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct finding {
	const struct check *check;
	enum finding_state state;
	char *agent;		/* NULL if it is of the machine */
	char *object;
	char *what;
	char *advice;		/* NULL for none */
	char *repair;		/* what was done, or why it failed; NULL if no fix was tried */
	bool repaired;
	int fault;		/* a number that the check's fix() knows; 0 if it cannot be fixed */
};

struct doctor_run {
	struct profile *profile;	/* of the agent that is checked; NULL if it cannot be used: PROFILE_FAIL says why */
	struct fail profile_fail;
	char *agent;			/* the profile's name */
	bool probe;			/* also run tests that a healthy agent notices */
	bool fix;			/* apply the fixes that checks offer */
	const struct check *now;	/* the check that runs */
	struct finding *findings;
	size_t n, cap;
};

/*
 * Load the profile AGENT, NULL for the default; findings of the agent before it stay.
 * -ENOENT, with F, if there is no profile of that name.  An invalid profile is a
 * finding, and the result is 0.
 */
int doctor_open(struct doctor_run *x, const char *agent, struct fail *f);
void doctor_close(struct doctor_run *x);

/* Run C; apply its fixes if X->fix. */
void doctor_run_check(struct doctor_run *x, const struct check *c);

/* The worst state of all findings; FINDING_OK if there are none. */
enum finding_state doctor_worst(const struct doctor_run *x);

/* Add a finding of the check that runs. */
void doctor_ok(struct doctor_run *x, const char *object, const char *fmt, ...) PRINTF(3, 4);
void doctor_warn(struct doctor_run *x, const char *object, const char *fmt, ...) PRINTF(3, 4);
void doctor_fail(struct doctor_run *x, const char *object, const char *fmt, ...) PRINTF(3, 4);

/* Add the failure F; a "OBJECT: " at the beginning of its text is left out. */
void doctor_fail_as(struct doctor_run *x, const char *object, const struct fail *f);

/* Set the advice of the last finding. */
void doctor_advise(struct doctor_run *x, const char *fmt, ...) PRINTF(2, 3);

/* The check's fix() can repair the last finding, as FAULT. */
void doctor_offer_fix(struct doctor_run *x, int fault);

/* "ok", "warn", "fail" */
const char *doctor_state_name(enum finding_state s);

/* {"agent","check","state","object","what","advice","repair"}; the first and the last two are optional. */
struct json doctor_finding_record(const struct finding *f);

/*
 * All findings as a table for a terminal; advice and repair follow on lines of their
 * own.  Findings of several agents are below a line with the agent's name.
 */
void doctor_format(const struct doctor_run *x, int terminal, struct buf *out);

#endif
