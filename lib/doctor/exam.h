/*
 * exam - one examination of an agent and of what is around it.
 *
 * Checks (doctor/checks.h) look at things, and each adds what it found: a
 * finding is good, odd or bad, about an object, and where it is not good it
 * says what to do.  What is safe to repair is repaired where that was asked
 * for; everything else is only looked at.
 */
#ifndef DOCTOR_EXAM_H
#define DOCTOR_EXAM_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"

struct exam;
struct finding;

/* An entry of the table of checks. */
struct check {
	const char *name;		/* by which it is chosen */
	const char *subject;		/* what it looks at, for people */
	bool needs_profile;
	void (*test)(struct exam *x);	/* adds findings */
	/*
	 * Repair F, which names a FAULT; say what was done in DONE, or fail.  NULL
	 * where nothing is safe enough to be done by a program.
	 */
	int (*fix)(struct exam *x, const struct finding *f, struct buf *done, struct fail *why);
};

enum finding_state { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct finding {
	const struct check *check;
	enum finding_state state;
	char *object;
	char *what;
	char *advice;		/* NULL where there is nothing to do */
	char *repair;		/* what was done, or why it could not be; else NULL */
	bool repaired;
	int fault;		/* the check's own name for what its fix() can repair; 0 for nothing */
};

struct exam {
	struct profile *profile;	/* NULL where it cannot be used: PROFILE_FAIL says why */
	struct fail profile_fail;
	char *agent;			/* the profile's name */
	bool probe;			/* also what makes an agent notice */
	bool fix;
	const struct check *now;	/* which one adds findings */
	struct finding *findings;
	size_t n, cap;
};

/*
 * Load the profile AGENT, NULL for the default.  An error where there is none
 * of that name; one that is wrong is a finding.
 */
int exam_open(struct exam *x, const char *agent, struct fail *f);
void exam_close(struct exam *x);

/* Run C, and repair what it finds where X has FIX. */
void exam_run(struct exam *x, const struct check *c);

/* The worst of the findings. */
enum finding_state exam_worst(const struct exam *x);

/* Add a finding of the check that runs. */
void exam_ok(struct exam *x, const char *object, const char *fmt, ...) PRINTF(3, 4);
void exam_warn(struct exam *x, const char *object, const char *fmt, ...) PRINTF(3, 4);
void exam_fail(struct exam *x, const char *object, const char *fmt, ...) PRINTF(3, 4);

/* A failure that F tells of; the object, where F's text begins with it, is said once. */
void exam_fail_as(struct exam *x, const char *object, const struct fail *f);

/* What to do about the last finding. */
void exam_advise(struct exam *x, const char *fmt, ...) PRINTF(2, 3);

/* The last finding can be repaired. */
void exam_offer_fix(struct exam *x, int fault);

/* "ok", "warn", "fail" */
const char *exam_state_name(enum finding_state s);

/* {"check","state","object","what","advice","repair"}; the last two only where they are there. */
struct json exam_finding_record(const struct finding *f);

/* All of X's as lines for a person; advice and repair stand below what they are about. */
void exam_format(const struct exam *x, struct buf *out);

#endif
