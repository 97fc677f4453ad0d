/*
 * cgroup - a cgroup of its own for what a shim starts, where the kernel and the
 * service manager allow one.
 *
 * The cgroup2 hierarchy is found in /proc/self/mountinfo, because hybrid
 * machines have it at /sys/fs/cgroup/unified.  A cgroup is made only below one
 * that is ours to divide: delegated by systemd (its extended attribute
 * user.delegate or trusted.delegate), owned by the caller, or on a machine
 * without systemd.  Source: cgroups(7), systemd's CGROUP_DELEGATION.
 * Errors: a negative errno; -EOPNOTSUPP where no cgroup can be had.
 */
#ifndef SUPERVISE_CGROUP_H
#define SUPERVISE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CGROUP_PATH = 1024 };

/*
 * The directory of the process's cgroup: MOUNTINFO and SELF are the texts of
 * /proc/self/mountinfo and /proc/self/cgroup.
 */
int cgroup_locate(const char *mountinfo, const char *self, char path[CGROUP_PATH]);

/* Make the cgroup NAME, which may be "A/B", below our own; PATH is its directory. */
int cgroup_make(const char *name, char path[CGROUP_PATH]);

int cgroup_add(const char *path, pid_t pid);
bool cgroup_is_populated(const char *path);

/* Send SIGNO to each process in it; SIGKILL reaches processes below it as well (cgroup.kill). */
int cgroup_signal(const char *path, int signo);

/* Processes in it that the kernel killed for lack of memory; 0 where that is not counted. */
int64_t cgroup_oom_kills(const char *path);

/* Remove it (an empty PATH is none); false where processes are in it, or were a moment ago. */
bool cgroup_remove(const char *path);

/* Move its processes to the cgroup above it, and remove it. */
void cgroup_dissolve(const char *path);

#endif
