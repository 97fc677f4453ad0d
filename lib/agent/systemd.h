/*
 * systemd - properties of a unit, from the service manager: systemctl(1) show.
 *
 * Unlike agent/unit.h this queries the manager, which knows the invocation.
 * Errors: those of agent/command.h; EXIT_TROUBLE if systemctl gives no answer.
 */
#ifndef AGENT_SYSTEMD_H
#define AGENT_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"

enum { SYSTEMD_TEXT = 64 };

struct systemd_unit {
	char load[SYSTEMD_TEXT];	/* loaded, masked, not-found, ... */
	char active[SYSTEMD_TEXT];	/* active, reloading, inactive, failed, activating, deactivating */
	char sub[SYSTEMD_TEXT];		/* running, auto-restart, dead, ... */
	char result[SYSTEMD_TEXT];	/* success, exit-code, signal, timeout, ... */
	char invocation[SYSTEMD_TEXT];	/* empty for none */
	char text[160];			/* StatusText */
	char reload[4];			/* NeedDaemonReload: "yes" if its file changed on disk */
	int64_t restarts;		/* automatic restarts since the last start */
	int64_t job;			/* number of the queued job, 0 for none */
	int64_t began_us;		/* start of the main process, CLOCK_MONOTONIC; 0 for never */
	pid_t pid;			/* main process, 0 for none */
};

/* Read UNIT into U.  OUT, if it is not NULL, gets the KEY=VALUE lines. */
int systemd_show(const char *unit, int64_t timeout_ms, struct systemd_unit *u, struct buf *out,
    struct fail *f);

/* Parse the KEY=VALUE lines of systemctl show; unknown keys are ignored. */
void systemd_parse(const char *text, size_t len, struct systemd_unit *u);

#endif
