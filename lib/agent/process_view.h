/*
 * process_view - which processes /proc shows: one that it does not show may run all
 * the same, so "not running" is not said of it.
 *
 * proc(5): the mount option hidepid, pid_namespaces(7).
 */
#ifndef AGENT_PROCESS_VIEW_H
#define AGENT_PROCESS_VIEW_H

enum process_view {
	PROCESS_VIEW_ALL,		/* each process of the machine */
	PROCESS_VIEW_NAMESPACE,		/* those of this pid namespace, which is not the initial one */
	PROCESS_VIEW_OWN,		/* those of the caller: hidepid */
	PROCESS_VIEW_FOREIGN,		/* those of another pid namespace, or none: pids mean nothing here */
};

enum process_view process_view_read(void);

/* What is not visible, for a message: "processes of other users are not visible here (hidepid)". */
const char *process_view_limit(enum process_view v);

#endif
