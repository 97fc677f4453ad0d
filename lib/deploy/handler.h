/*
 * handler - one action of one step on one component, by running a program.
 *
 * The contract is that of Azure Device Update's script handler: the program is
 * given the action, the step's arguments with their placeholders filled in from
 * the component, the work folder and the result file, and leaves
 * {"resultCode","extendedResultCode","resultDetails"} in that file; a status
 * other than 0 is a failure whatever the file says.  For microsoft/script:1 the
 * program is the step's scriptFileName in the work folder, made executable where
 * it is not; any other handler is an executable in handlers.d/ (configuration,
 * else vendor), named as its id with '_' for every character but [A-Za-z0-9-].
 *
 * It runs with a deadline in a process group of its own, and everything it
 * started is ended with it at the deadline.  A result file left from before is
 * removed first.  Details are data: they are never a format, and bounded.
 */
#ifndef DEPLOY_HANDLER_H
#define DEPLOY_HANDLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"

enum handler_action {
	HANDLER_IS_INSTALLED, HANDLER_DOWNLOAD, HANDLER_INSTALL, HANDLER_APPLY,
};

/* Result codes: above 0 is success (reference: Azure's adu_core.h). */
enum {
	RESULT_FAILURE = 0, RESULT_CANCELLED = -1,
	RESULT_DOWNLOAD_SUCCESS = 500, RESULT_DOWNLOAD_SKIPPED_INSTALLED = 503,
	RESULT_INSTALL_SUCCESS = 600, RESULT_INSTALL_SKIPPED_INSTALLED = 603,
	RESULT_INSTALL_SKIPPED_NO_COMPONENT = 604,
	RESULT_APPLY_SUCCESS = 700,
	RESULT_INSTALLED = 900, RESULT_NOT_INSTALLED = 901,
};

/* Extended result codes of our own making follow the script handler's. */
enum {
	ERC_NO_HANDLER = 0x30000003,	/* no executable of its name in handlers.d/ */
	ERC_BAD_HANDLER = 0x30000004,	/* there is one, but others could have written it */
	ERC_NO_SCRIPT_NAME = 0x30500005,	/* no scriptFileName */
	ERC_NO_RESULT = 0x30500205,		/* no result file, or not one */
	ERC_SCRIPT_FAILED = 0x30500206,		/* a failure without a code of its own */
	ERC_SCRIPT_STATUS = 0x30501000,		/* + exit status, + signal number */
	/* The agent's own, outside the Azure agent's values: packaging/codes.d/rejoin-result-codes.tsv. */
	ERC_NOT_SEEN = 0x5E000001,	/* installed, but its own check does not see it */
	ERC_HELD = 0x5E000002,		/* not tried: the next attempt is not due yet */
	ERC_ATTEMPTS = 0x5E000003,	/* not tried: there were as many attempts as may be */
	ERC_INTERRUPTED = 0x5E000004,	/* the run was killed, and its end is not known */
	ERC_REBOOT = 0x5E000005,	/* a reboot was asked for and not seen */
};

enum { HANDLER_DETAILS_MAX = 4096, HANDLER_RESULT_MAX = 2 << 20 };	/* bytes kept, bytes read */

struct handler_call {
	const char *handler;		/* its id, "microsoft/script:1" */
	const char *program;		/* run this instead of looking for it; NULL */
	enum handler_action action;
	struct json properties;		/* the step's handlerProperties, borrowed */
	struct json component;		/* a record, or JSON_ABSENT for the host; borrowed */
	const char *work_folder;	/* absolute; the payload files are there */
	const char *user;		/* run as, and the work folder's owner then; NULL for ourselves */
	int64_t timeout_ms, grace_ms;
};

struct handler_result {
	int32_t code;			/* resultCode */
	int32_t erc;			/* extendedResultCode */
	const char *details;		/* never NULL; borrowed for the call */
	const char *output;		/* what it printed, its end where it was long */
	bool timed_out;
};

struct handler;

typedef void handler_done(const struct handler_result *r, void *cookie);

/* CALL need not outlive this; DONE is called once, from the loop. */
struct handler *handler_start(struct loop *l, const struct handler_call *call,
    handler_done *done, void *cookie);

/* Cancel: its processes are ended; DONE is still called, with RESULT_CANCELLED. */
void handler_end(struct handler *h);

/* The executable of the handler HANDLER, to be freed; NULL where there is none.  It is not checked for trust. */
char *handler_find(const char *handler);

const char *handler_action_name(enum handler_action a);

/*
 * The argument vector, as the Azure agent gives it, NULL-terminated; free with
 * xfree_strv().  RESULT_FILE is where the program is told to leave its result.
 */
char **handler_argv(const struct handler_call *call, const char *program, const char *result_file);

/*
 * What the LEN bytes of a result file say: R's code and erc (a failure without
 * one has ERC_SCRIPT_FAILED); the details, up to HANDLER_DETAILS_MAX bytes of
 * them, into DETAILS.  Missing members read as 0 and "".  Returns -EBADMSG
 * where it is no result.
 */
int handler_parse_result(const char *text, size_t len, struct handler_result *r,
    struct buf *details);

#endif
