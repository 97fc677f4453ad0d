/*
 * submission - how other programs give records to the link: files that they put
 * into its directory in/, and the results in done/.
 *
 * A submission is a file NAME = HLC.PID with one JSON object a line:
 *
 *	{"kind","key","value"[,"time"][,"wait":true]}		kind as in hub/dialect.h
 *	{"kind":"call","key":METHOD,"value":PARAMS,"wait":true}	a call of the hub
 *
 * All of them are of one queue.  It is written as .PID.tmp and renamed.  An urgent one (report, state, answer) is on
 * disk before the rename, and the rename is on disk when submission_send() returns; a
 * sender cannot open the directory, so the whole file system is synced for that.
 * One of telemetry and logs survives the death of every process, not a power cut.
 *
 * The link takes the sender from the file's owner.  Its result is done/NAME, kept
 * for 10 minutes, if it was asked for by "wait" or is not good:
 *
 *	{"id":HLC,"result":"confirmed"|"refused"|"dropped","status","reason","response"}
 *
 * where status is the exit status for it, and response that of a call.
 */
#ifndef HUB_SUBMISSION_H
#define HUB_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "base/json.h"

enum {
	SUBMISSION_NAME = 48,
	SUBMISSION_MAX = 2 << 20,	/* bytes of a submission */
	SUBMISSION_DONE_MS = 600000,	/* results are kept for so long */
	SUBMISSION_KEY_MAX = 1024,	/* bytes of a key */
};

/*
 * Submit the LEN bytes of TEXT, whole lines, to the link of DIR.  NAME is the
 * submission's.  EXIT_DENIED where the caller may not; EXIT_USAGE over the maximum.
 */
int submission_send(const char *dir, const char *text, size_t len, bool urgent, char name[SUBMISSION_NAME],
    struct fail *f);

/* Are records of KIND urgent? */
bool submission_is_urgent(const char *kind);

/* EXIT_USAGE where KEY is too long, or has a control character: it goes into topics, names of files and logs. */
int submission_check_key(const char *key, struct fail *f);

/*
 * Wait until the result of the submission NAME is there, at most TIMEOUT_MS.
 * EXIT_TIMEOUT: the record is still in its queue; EXIT_ABSENT: the link ended meanwhile.
 */
int submission_wait(const char *dir, const char *name, int64_t timeout_ms, struct json *out, struct fail *f);

/* Is S the name of a submission?  *HLC: when it was made. */
bool submission_parse_name(const char *s, int64_t *hlc);

#endif
