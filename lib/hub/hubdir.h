/*
 * hubdir - the directory of a link, STATE/hub/NAME: the files by which rejoin-hub,
 * the agent, instances and users exchange what goes to the broker and comes from it.
 *
 *	goal.json shared.json	0640 HUB:GROUP	the goal; all attributes
 *	config/INSTANCE/TOPIC	0640 HUB:GROUP	values as they are; names as by file_encode()
 *	calls/ID.json		0640 HUB:GROUP	open calls, removed when answered or expired
 *	urgent/ bulk/		0700 HUB	the queues (hub/outbox.h)
 *	in/			3730 HUB:GROUP	submissions (hub/submission.h)
 *	done/NAME		0644 HUB	their results, kept for 10 minutes
 *	status			0644 HUB	{"pid","incarnation","state",...}
 *	reported.json		0600 HUB	what was reported, to compare with what the hub holds
 *	handled.jsonl		0600 HUB	calls of the agent and their outcomes
 *	lock			0600 HUB	held by the one rejoin-hub that runs
 *
 * HUB is the user that runs the link; GROUP is of the profile, else HUB's own.
 * Everything but in/ is written by the link alone.
 */
#ifndef HUB_HUBDIR_H
#define HUB_HUBDIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/fail.h"
#include "base/json.h"

/* STATE/hub/NAME, to be freed. */
char *hubdir_path(const char *name);

/* Is PATH a file of a link, STATE/hub/NAME/FILE, written so? */
bool hubdir_has(const char *path);

/* DIR/NAME and what is above it: for files of the link. To be freed. */
char *hubdir_file(const char *dir, const char *name);

/*
 * Make what is missing of DIR; GROUP (gid_t)-1 for none.  EXIT_DENIED where DIR is
 * of another user, or its group or others may write to it.
 */
int hubdir_make(const char *dir, gid_t group, struct fail *f);

/*
 * Lock DIR for the link.  EXIT_BUSY where another rejoin-hub has it, with its pid as
 * `status` names it.  Returns the descriptor.
 */
int hubdir_lock(const char *dir, struct fail *f);

/*
 * The status of the link, an object with "running": true if the lock is held.  EXIT_ABSENT
 * where there is no link.
 */
int hubdir_status(const char *dir, struct json *out, struct fail *f);

/* Is a link running for DIR?  EXIT_ABSENT with the hint to start one where not. */
int hubdir_check_running(const char *dir, struct fail *f);

#endif
