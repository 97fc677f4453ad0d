/*
 * incarnation - the name of one instance of a process: a restart has a new one.
 *
 * The text is "BOOT-PID-START": the first 8 digits of the kernel's boot id, the
 * process id, and when it started in clock ticks since boot (proc(5), field 22),
 * so that neither a reused pid nor a reboot is mistaken for the same instance.
 * Errors: -ESRCH where there is no such process; any other says that /proc cannot be
 * read, and nothing about the process.
 */
#ifndef AGENT_INCARNATION_H
#define AGENT_INCARNATION_H

#include <stdint.h>
#include <sys/types.h>

enum { INCARNATION_TEXT = 64 };

int incarnation_of(pid_t pid, char text[INCARNATION_TEXT]);

/*
 * Is PID the process that TEXT names: 1, 0, or -errno if that cannot be read.  Boot
 * ids are compared as base/bootid.h says.
 */
int incarnation_is(pid_t pid, const char *text);

/* When PID started, in clock ticks since boot. */
int incarnation_start(pid_t pid, uint64_t *ticks);

#endif
