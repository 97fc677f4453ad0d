/*
 * presence - whether the agent of a profile is installed here, and which agents are
 * configured here.
 *
 * Nothing is run: an agent is installed if its unit file exists, or, for a profile
 * without a unit, the pipe, pid-file, service directory or program that the profile
 * names; for a command of systemctl(1) it is the unit in that.  For a profile that names none of them the answer is unknown.
 */
#ifndef DOCTOR_PRESENCE_H
#define DOCTOR_PRESENCE_H

#include <stdbool.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/json.h"

/*
 * 1 if the agent of P is installed here, 0 if not, -1 if the profile names nothing
 * that would tell.  EVIDENCE gets the file that was found or is missing.
 */
int presence_of(const struct profile *p, struct buf *evidence);

/* True if a file of UNIT, or of its template, is in a directory of the service manager. */
bool presence_has_unit_file(const char *unit);

/*
 * The agents that are configured here, each once, NULL-terminated: the default if
 * it was chosen, those with a profile in the configuration directory, and those
 * that an enabled unit of the toolkit serves.
 * Free with xfree_strv().
 */
char **presence_configured(void);

/*
 * {"name","here","configured","description","evidence","file","error"} of the profile
 * NAME; "here" is null if unknown, "error" only present if the profile is not valid.
 * CONFIGURED is the result of presence_configured().
 */
struct json presence_record(const char *name, char *const *configured);

#endif
