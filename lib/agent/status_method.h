/*
 * status_method - how the status of an agent is read: one table entry for each
 * value of [status] method.
 *
 *	file		the status file of the reference agent
 *	busy-path	busy while a path matches, and its log does not say otherwise
 *	systemd		properties of the unit, from the service manager
 *	dbus		a property on the system bus: busctl(1) get-property
 *	exec		the output of a command
 *	adu-api		the Azure agent, 1.3 and later, by its API (agent/adu_api.h)
 *	none		only whether the unit has a process
 *
 * The answers of systemd, dbus, exec and adu-api are matched with the profile's
 * regular expressions (POSIX extended, ^ matches at each line), in the order
 * needs-reboot, busy, starting, stopping, failed, stopped, idle: the first match is the state.
 * The answer of a command gets a last line "status=N" with its exit status; the
 * answer of the service manager is its KEY=VALUE properties, and gives a state
 * without any expression, too.
 *
 * To add a method: a file status_method_NAME.c with its entry, a value of enum
 * status_kind (agent/profile.h) and a line in status_method.c.
 */
#ifndef AGENT_STATUS_METHOD_H
#define AGENT_STATUS_METHOD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "agent/status.h"
#include "base/fail.h"

struct status_method {
	/* Fill S, which is zero but for .running = -1.  Errors as status_read(). */
	int (*read)(const struct profile *p, struct status *s, struct fail *f);

	/* As status_wait_idle(). */
	int (*wait_idle)(const struct profile *p, bool for_request, int64_t timeout_ms, struct fail *f);

	int64_t poll_ms;	/* between two reads while a change is waited for */
	int64_t idle_poll_ms;	/* the same while an idle agent is waited for: status_method_poll_idle() */
	bool counts_retries;	/* read() fills in retries, settled and result */
};

/* The entry for P's [status] method; never NULL. */
const struct status_method *status_method_find(const struct profile *p);

extern const struct status_method status_method_file, status_method_busy_path,
    status_method_systemd, status_method_dbus, status_method_exec, status_method_adu_api;

/* Does read() ever show whether an evaluation succeeded or failed? */
bool status_method_shows_outcome(const struct profile *p);

/*
 * A wait_idle(): read() every idle_poll_ms until the agent is not busy; FOR_REQUEST,
 * until it rests.  -ENODATA also if it cannot be read.  TIMEOUT_MS < 0: no limit.
 */
int status_method_poll_idle(const struct profile *p, bool for_request, int64_t timeout_ms, struct fail *f);

/* Set running and pid of S from the control group of P's unit, and name its incarnation. */
void status_method_read_unit(const struct profile *p, struct status *s);

/* Set incarnation and since of S, whose pid is set. */
void status_method_read_incarnation(struct status *s);

#endif
