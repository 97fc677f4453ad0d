/*
 * handler_result - how an action of a handler ended, and the codes for it.
 *
 * A handler leaves {"resultCode","extendedResultCode","resultDetails"} in its
 * result file, as Azure Device Update's script handler has it.
 */
#ifndef DEPLOY_HANDLER_RESULT_H
#define DEPLOY_HANDLER_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum handler_action {
	HANDLER_IS_INSTALLED, HANDLER_DOWNLOAD, HANDLER_INSTALL, HANDLER_APPLY,
	HANDLER_BACKUP, HANDLER_RESTORE, HANDLER_CANCEL,
};

/* Result codes: above 0 is success (reference: Azure's adu_core.h). */
enum {
	RESULT_FAILURE = 0, RESULT_CANCELLED = -1,
	RESULT_DOWNLOAD_SUCCESS = 500, RESULT_DOWNLOAD_SKIPPED_INSTALLED = 503,
	RESULT_INSTALL_SUCCESS = 600, RESULT_INSTALL_SKIPPED_INSTALLED = 603,
	RESULT_INSTALL_SKIPPED_NO_COMPONENT = 604,
	RESULT_APPLY_SUCCESS = 700,
	/* + 100 for apply: a reboot at once, after the other steps; a restart of the agent, likewise */
	RESULT_INSTALL_REBOOT_NOW = 605, RESULT_INSTALL_REBOOT = 606,
	RESULT_INSTALL_RESTART_NOW = 607, RESULT_INSTALL_RESTART = 608,
	RESULT_CANCEL_SUCCESS = 800, RESULT_CANCEL_UNABLE = 801,
	RESULT_INSTALLED = 900, RESULT_NOT_INSTALLED = 901,
	RESULT_BACKUP_SUCCESS = 1000, RESULT_BACKUP_UNSUPPORTED = 1001,
	RESULT_RESTORE_SUCCESS = 1100, RESULT_RESTORE_UNSUPPORTED = 1101,
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

struct handler_result {
	int32_t code;			/* resultCode */
	int32_t erc;			/* extendedResultCode */
	const char *details;		/* never NULL; borrowed for the call */
	const char *output;		/* what it printed, its end where it was long */
	bool timed_out;
};

/* "is-installed", "download", "install", "apply", "backup", "restore" or "cancel". */
const char *handler_result_phase(enum handler_action a);

/* The action of a phase; false where NAME is none. */
bool handler_result_phase_parse(const char *name, enum handler_action *a);

/*
 * The LEN bytes of a result file: R's code and erc (a failure without one has
 * ERC_SCRIPT_FAILED); the details, at most HANDLER_DETAILS_MAX bytes, added to
 * DETAILS.  Missing members read as 0 and "".  Returns -EBADMSG where the text is
 * not a result.
 */
int handler_result_parse(const char *text, size_t len, struct handler_result *r, struct buf *details);

/* The same for the file PATH of the program NAME; without a result R is ERC_NO_RESULT, saying why. */
void handler_result_load(const char *path, const char *name, struct handler_result *r, struct buf *details);

/* TEXT to DETAILS, cut to HANDLER_DETAILS_MAX bytes of whole characters. */
void handler_result_add_details(struct buf *details, const char *text);

/* NAME did not end within TIMEOUT_MS. */
void handler_result_set_late(const char *name, int64_t timeout_ms, struct handler_result *r, struct buf *details);

#endif
