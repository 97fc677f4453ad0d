/*
 * systemd - what the service manager says of a unit: systemctl(1)'s show.
 *
 * Unlike agent/unit.h this asks the manager, and so knows invocations.
 * Errors: agent/command.h's; EXIT_TROUBLE where systemctl cannot tell.
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
	char text[160];			/* what the service says of itself */
	int64_t restarts;		/* by the manager, of itself */
	int64_t job;			/* that is queued; 0 for none */
	int64_t began_us;		/* its main process, on the monotonic clock; 0 for never */
	pid_t pid;			/* of it; 0 for none */
};

/* UNIT into U; the lines KEY=VALUE themselves into OUT, where it is not NULL. */
int systemd_show(const char *unit, int64_t timeout_ms, struct systemd_unit *u, struct buf *out,
    struct fail *f);

/* The lines that systemd_show() asks for. */
void systemd_parse(const char *text, size_t len, struct systemd_unit *u);

#endif
