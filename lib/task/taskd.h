/*
 * taskd - the task agent: a store, served on a Unix socket until nothing is left
 * to do.  It may be killed at any time; the shims and the store go on.
 */
#ifndef TASK_TASKD_H
#define TASK_TASKD_H

#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"
#include "task/store.h"

struct taskd_conf {
	struct store_limits limits;
	gid_t admin_group;	/* (gid_t)-1: none */
	int64_t idle_ms;	/* exit after so long without work; 0: never */
};

#define TASKD_CONF	{ STORE_LIMITS, (gid_t)-1, 60000 }

/* The file PATH, section [taskd], into C, whose values are kept where it has none; it need not be there. */
int taskd_load_conf(const char *path, struct taskd_conf *c, struct fail *f);

/* The default socket. */
char *taskd_socket_path(void);

/*
 * Serve the store in the directory DIR until idle or SIGTERM: on the socket that
 * was passed to the process (sd_listen_fds(3)), else on one at PATH, which is
 * made (mode 0660) when the store is ours, and removed at the end.  Returns the
 * exit status; EXIT_BUSY where the store or the socket is in use.
 */
int taskd_run(const char *dir, const char *path, const struct taskd_conf *c, struct fail *f);

/* Copy between stdin and stdout and the socket PATH, until either side ends. */
int taskd_dial(const char *path, struct fail *f);

#endif
