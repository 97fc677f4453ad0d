/*
 * diag - what a tool says on stderr, and how it ends.
 *
 * Every line reads "NAME: MESSAGE" or "NAME: MESSAGE: REASON", with the time
 * before it where REJOIN_STAMP is set.  A newline in a message is shown as \x0A, so
 * that no name can forge a line of a log, and where stderr is a terminal every byte
 * that would control it is shown so.  Only
 * cmd/ may call the functions that print or end; a module of lib/ returns its
 * error (see base/fail.h).  The one exception is lack of memory: xalloc.h ends
 * the tool.
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stdbool.h>

#define PRINTF(f, a)	__attribute__((format(printf, f, a)))
#define NORETURN	__attribute__((noreturn))

/* The toolkit's exit statuses; each man page lists those its tool uses. */
enum exit_status {
	EXIT_OK = 0,		/* asked for, and done; the answer is yes */
	EXIT_NO = 1,		/* ran, and the answer is no; or an operand failed */
	EXIT_USAGE = 2,		/* command line, profile, inventory or manifest is wrong */
	EXIT_TROUBLE = 3,	/* could not do it: file, network, device, memory */
	EXIT_TIMEOUT = 4,	/* the outcome was not seen before the deadline */
	EXIT_ABSENT = 5,	/* the agent or peer is not running */
	EXIT_BUSY = 6,		/* busy, or held back, and the caller would not wait */
	EXIT_DENIED = 7,	/* permission, ownership or signature */
};

enum diag_level {
	DIAG_QUIET,		/* errors only */
	DIAG_NORMAL,		/* and what the user should know */
	DIAG_VERBOSE,		/* and what is done, step by step */
};

/*
 * Report under the last component of argv[0]; a standard stream that was closed is no file of ours (base/io.h).
 */
void diag_init(char *argv[]);
const char *diag_name(void);

void diag_set_level(enum diag_level level);
int diag_is_quiet(void);

/* From here on report to syslog (facility daemon) too: udev has no terminal. */
void diag_to_syslog(void);

/* Report under TAG in syslog instead of under the tool's name. */
void diag_set_tag(const char *tag);

/* Report an error; ERR is 0 for no reason, or an errno value (either sign). */
void diag(int err, const char *fmt, ...) PRINTF(2, 3);

/*
 * After an error: the one thing that can be done about it, on a line of its
 * own that begins with "hint: ".
 */
void diag_hint(const char *fmt, ...) PRINTF(1, 2);

/* Tell what the user should know, unless quiet. */
void diag_info(const char *fmt, ...) PRINTF(1, 2);

/* Tell what is being done: on stderr when verbose, and in syslog anyway. */
void diag_note(const char *fmt, ...) PRINTF(1, 2);

/* The same, and in syslog also without --syslog: what an operator must be able to find later. */
void diag_journal(const char *fmt, ...) PRINTF(1, 2);

/* Tell TEXT as diag_info() does, with VERBOSE as diag_note(): a function for base/logger.h. */
void diag_log(const char *text, bool verbose, void *cookie);

/* Report and end with STATUS. */
void die(enum exit_status status, int err, const char *fmt, ...) PRINTF(3, 4) NORETURN;

/*
 * Flush stdout and end with STATUS, or, where a write failed at any time
 * before, say so and end with EXIT_TROUBLE.  The last call of every main().
 */
void finish(enum exit_status status) NORETURN;

#endif
