/*
 * procstat - what the kernel says of a process in /proc/PID/stat: proc_pid_stat(5).
 *
 * A process is told from a later one of the same pid by its start time, which is
 * in clock ticks since the boot (sysconf(_SC_CLK_TCK)).
 */
#ifndef BASE_PROCSTAT_H
#define BASE_PROCSTAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct procstat {
	char command[64];	/* the name of the program, as the kernel cuts it; any bytes but NUL */
	char state;		/* R, S, D, T, t, Z, X, ... */
	pid_t parent, session;
	uint64_t start;		/* clock ticks since the boot */
};

/* -ESRCH where there is no process PID; a zombie is one.  Another -errno where /proc cannot be read. */
int procstat_read(pid_t pid, struct procstat *s);

/* The same, but a process that has ended and was not waited for yet is -ESRCH. */
int procstat_read_alive(pid_t pid, struct procstat *s);

#endif
