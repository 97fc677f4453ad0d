/*
 * unit - the processes of a systemd unit, as the kernel's control groups show
 * them: no manager is asked, so this works from a udev rule as well.
 *
 * Errors: -ESRCH where the unit has no process, -ENODATA where control groups
 * cannot tell (none are mounted, or systemd does not run here); any other where they
 * cannot be read.
 */
#ifndef AGENT_UNIT_H
#define AGENT_UNIT_H

#include <sys/types.h>

/*
 * The main process of UNIT: of those in its group the one that started first.
 * ROOT is where the control groups are mounted; NULL for the usual place.
 */
int unit_main_pid(const char *root, const char *unit, pid_t *pid);

#endif
