#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/process_view.h"

/* The target of the link PATH; empty if it cannot be read. */
static void
link_read(const char *path, char target[32])
{
	ssize_t n = readlink(path, target, 31);

	target[n > 0 ? n : 0] = '\0';
}

/* The initial pid namespace has this inode number (PROC_PID_INIT_INO of the kernel). */
static bool
is_initial_namespace(void)
{
	char name[32];

	link_read("/proc/self/ns/pid", name);
	return !*name || strcmp(name, "pid:[4026531836]") == 0;
}

enum process_view
process_view_read(void)
{
	char self[32];

	link_read("/proc/self", self);
	if (!*self || strtol(self, NULL, 10) != (long)getpid())
		return PROCESS_VIEW_FOREIGN;
	if (access("/proc/1", F_OK) < 0)
		return PROCESS_VIEW_OWN;
	return is_initial_namespace() ? PROCESS_VIEW_ALL : PROCESS_VIEW_NAMESPACE;
}

const char *
process_view_limit(enum process_view v)
{
	switch (v) {
	case PROCESS_VIEW_NAMESPACE:
		return "processes of other pid namespaces are not visible here";
	case PROCESS_VIEW_OWN:
		return "processes of other users are not visible here (hidepid)";
	case PROCESS_VIEW_FOREIGN:
		return "/proc shows the processes of another pid namespace, or none";
	default:
		return "all processes are visible";
	}
}
