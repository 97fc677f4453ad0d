/*
 * launch - what a shim is to run, and how: the file request.json of a run's
 * directory, written by the supervisor before it starts the shim.
 *
 *	{"argv":["PROGRAM","ARG",...],	required
 *	 "env":{"NAME":"VALUE",...},	the whole environment; default: PATH alone
 *	 "environment":"own"|"inherit",	inherit: that of the shim, and env beside it; its
 *					working directory, too
 *	 "cwd":"/DIR",			default /
 *	 "user":"NAME",			run as; default: as the shim
 *	 "program":{"path":"/FILE","dev":N,"ino":N},
 *					execute this file, which must still be that inode,
 *					instead of looking for argv[0] in PATH
 *	 "stdin":"NAME",		a file of the run's directory; default /dev/null
 *	 "stdio":"files"|"inherit",	inherit: the shim's own descriptors 0 to 2
 *	 "new_privileges":false,	true: without NoNewPrivileges
 *	 "background":"end"|"leave",	processes that are left when the leader has ended
 *	 "stop":"all"|"leader",		leader: it ends the others; they get SIGTERM after its end
 *	 "lease":false,			true: the file "lease" of the directory names a lease
 *	 "cgroup":"NAME",		the name of its cgroup; default: one of the shim's
 *					own; "none": no cgroup
 *	 "limits":{"nofile":N,...},	setrlimit(2), by the names of limits.conf(5)
 *	 "timeout_ms":0,		0: none
 *	 "grace_ms":10000,		between SIGTERM and SIGKILL
 *	 "drain_ms":2000,		how long output is awaited after the leader's end
 *	 "log_max":67108864}		bytes of output that are kept
 *
 * Unknown members are ignored; they are for the supervisor's own use.
 */
#ifndef SUPERVISE_LAUNCH_H
#define SUPERVISE_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"

enum {
	LAUNCH_REQUEST_MAX = 4 << 20,	/* bytes of request.json */
	LAUNCH_LIMITS = 16,
	LAUNCH_GRACE_MS = 10000, LAUNCH_DRAIN_MS = 2000, LAUNCH_LOG_MAX = 64 << 20,
};

/* A year: the largest time. */
#define LAUNCH_TIME_MAX_MS	(INT64_C(366) * 24 * 3600 * 1000)

struct launch_limit {
	int resource;		/* RLIMIT_... */
	int64_t value;		/* soft and hard */
};

struct launch {
	char **argv;		/* never empty */
	char **env;		/* "NAME=VALUE" */
	char *cwd, *user, *program, *stdin_name, *cgroup;	/* NULL: the default */
	dev_t program_dev;
	ino_t program_ino;
	bool inherit, inherit_env, new_privileges, leave_background, lease, stops_leader;
	struct launch_limit limits[LAUNCH_LIMITS];
	int n_limits;
	int64_t timeout_ms, grace_ms, drain_ms, log_max;
};

/* Empty, with the defaults; argv is to be filled in. */
#define LAUNCH_INIT	{ .grace_ms = LAUNCH_GRACE_MS, .drain_ms = LAUNCH_DRAIN_MS, .log_max = LAUNCH_LOG_MAX }

/* The RLIMIT_... called NAME by limits.conf(5); -1 for none. */
int launch_limit_resource(const char *name);

/* The LEN bytes of TEXT into L, which needs launch_release() afterwards.  EXIT_USAGE where they are wrong. */
int launch_parse(const char *text, size_t len, struct launch *l, struct fail *f);

/* The same of a value that was parsed already. */
int launch_from_json(struct json v, struct launch *l, struct fail *f);

/* The members of L into OBJECT; the strings of L must be UTF-8. */
void launch_to_json(const struct launch *l, struct json *object);

void launch_release(struct launch *l);

#endif
