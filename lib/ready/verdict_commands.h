/*
 * verdict_commands - the commands of "rejoin-ready run --on VERDICT ARGV": they run one
 * at a time, and many verdicts of a kind while one runs are one more.
 */
#ifndef READY_VERDICT_COMMANDS_H
#define READY_VERDICT_COMMANDS_H

#include "base/fail.h"
#include "base/loop.h"
#include "ready/readiness.h"

struct verdict_commands;

struct verdict_commands_spec {
	char *const *const *argv;	/* VERDICTS of them, NULL where there is none; the caller's */
	void (*prepare)(enum readiness_verdict v, void *cookie);	/* sets the environment, before each */
	void (*idle)(void *cookie);	/* none runs and none is due any more */
	void (*report)(const struct fail *f, void *cookie);	/* a failure of one; fail_tell()'s kind */
	void *cookie, *report_cookie;
};

struct verdict_commands *verdict_commands_new(struct loop *l, const struct verdict_commands_spec *spec);

/* Run the command of V, now or after the one that runs. */
void verdict_commands_run(struct verdict_commands *c, enum readiness_verdict v);

/* Run no other one, and end the one that runs. */
void verdict_commands_end(struct verdict_commands *c);

bool verdict_commands_is_idle(const struct verdict_commands *c);

void verdict_commands_free(struct verdict_commands *c);

#endif
