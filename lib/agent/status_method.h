/*
 * ask - ask an agent what it is doing, in the way that its profile has it:
 *
 *	systemd		the service manager, for its unit
 *	dbus		the bus, for a property: busctl(1)'s get-property
 *	exec		a command, for its output
 *	adu-api		the Azure agent, 1.3 and later, by its API (agent/adu_api.h)
 *
 * What is answered is matched with the profile's regular expressions (POSIX
 * extended, a line begins at ^), in the order of busy, starting, stopping,
 * failed, stopped and idle: the first that matches is the state.  A command's
 * answer ends with a line "status=N", its exit status; the service manager's
 * is the properties, KEY=VALUE lines, and says enough without expressions.
 */
#ifndef AGENT_STATUS_METHOD_H
#define AGENT_STATUS_METHOD_H

#include "agent/profile.h"
#include "agent/status.h"

/*
 * Of S: the state, and in the note why it is not known; "running" and "pid"
 * where the answer says so, else they are left as they are.
 */
void status_method_ask(const struct profile *p, struct status *s);

#endif
