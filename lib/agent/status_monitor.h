/*
 * status_monitor - call a function when the status of an agent may have changed,
 * from the loop.
 *
 * An agent with a status file is monitored through that file (base/filewatch.h).
 * Of any other agent only its process is: the end of it is reported by a pidfd,
 * and a new one is looked for after 0.5 s, 1 s, 2 s, ... up to 60 s.  A call is a hint;
 * status_read() tells what is new.
 */
#ifndef AGENT_STATUS_MONITOR_H
#define AGENT_STATUS_MONITOR_H

#include "agent/profile.h"
#include "agent/status.h"
#include "base/loop.h"

struct status_monitor;

/* P must outlive the monitor. */
struct status_monitor *status_monitor_new(struct loop *l, const struct profile *p, loop_fn *changed,
    void *cookie);

/* M may be NULL. */
void status_monitor_free(struct status_monitor *m);

/*
 * As status_read(); where that cannot name the process of P's agent, the pid files of the
 * profile are tried as well.
 */
int status_monitor_read(const struct profile *p, struct status *s, struct fail *f);

#endif
