/*
 * execcarrier - devices asked by a command, one a device: ssh(1), rejoin-task(1), any other.
 *
 * ${device} in the words of the command stands for the device's name.  The command runs under
 * a shim (supervise/supervise.h) in the directory RUNS/DEVICE.ATTEMPT, so it outlives a run
 * that is killed; the next run takes its outcome from there, or waits for it.
 *
 * The exit status is the outcome: 0 settled, 4 and 124 unknown, 5 absent, 6 busy, 7 denied,
 * any other failed.  255, with which ssh(1) reports a broken connection, and the end by a signal or at
 * the deadline are unknown: the command may have been carried out.
 */
#ifndef FLEET_EXECCARRIER_H
#define FLEET_EXECCARRIER_H

#include "base/loop.h"
#include "fleet/carrier.h"
#include "fleet/roster.h"

enum {
	EXECCARRIER_GRACE_MS = 10000,	/* from SIGTERM to SIGKILL at the deadline */
	EXECCARRIER_SLACK_MS = 12000,	/* the command's deadline is so long before that of the device */
	EXECCARRIER_OUTPUT_MAX = 32768,
};

struct execcarrier_spec {
	struct loop *loop;
	const struct roster *roster;
	char *const *argv;	/* NULL-terminated, with ${device} in one of its words */
	const char *runs;	/* absolute; made where it is missing */
};

/* EXIT_USAGE where ${device} is missing. */
int execcarrier_check(char *const *argv, struct fail *f);

/* What SPEC points to is borrowed.  EXIT_TROUBLE where the directory cannot be made. */
struct carrier *execcarrier_new(const struct execcarrier_spec *spec, const struct carrier_callbacks *cb, struct fail *f);

/* The outcome that an exit status means. */
enum rollout_state execcarrier_outcome(int status);

#endif
