/*
 * incarnation - the name of one life of a process: a restart has a new one.
 *
 * The text is "BOOT-PID-START": the first 8 digits of the kernel's boot id, the
 * process id, and when it started in clock ticks since boot (proc(5), field 22),
 * so that neither a reused pid nor a reboot is mistaken for the same life.
 * Errors: -ESRCH where there is no such process.
 */
#ifndef AGENT_INCARNATION_H
#define AGENT_INCARNATION_H

#include <stdint.h>
#include <sys/types.h>

enum { INCARNATION_TEXT = 64, INCARNATION_BOOT = 37 };

/* The kernel's boot id, all of it. */
int incarnation_boot(char text[INCARNATION_BOOT]);

int incarnation_of(pid_t pid, char text[INCARNATION_TEXT]);

/* When PID started, in clock ticks since boot. */
int incarnation_start(pid_t pid, uint64_t *ticks);

#endif
