/*
 * follow - a run that goes on: feeds for all that was asked for, files that
 * join a pattern, and a state that outlives it.
 *
 * The state file is JSON, replaced as a whole after what was printed has been
 * written:
 *
 *	{"version":1,"ended":false,"output":{"device","inode","size","torn"},
 *	"clocks":{NAME:MICROSECONDS},"sources":{NAME:{...}}}
 *
 * So a record that is printed may come again after a SIGKILL only if it came
 * between that writing and the state's; and where standard output is a regular
 * file, it is cut back to the size that the state knows, unless the run ENDED
 * in order, and none does.
 */
#ifndef LOG_FOLLOW_H
#define LOG_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "log/live.h"

struct follow_spec {
	struct live_spec live;		/* its callbacks but OPENED and COOKIE are set here */
	struct source_specs *specs;
	const char *state_path;		/* NULL for none */
	void (*asked)(void *cookie);	/* SIGUSR1: say how it stands */
	void (*tell)(const struct fail *f, void *cookie);
	void *cookie;
};

struct follow;

/*
 * Everything is set up: sources that cannot be followed are told, and passed
 * over.  Errors: EXIT_USAGE for wrong operands, EXIT_BUSY where another run has
 * the state, EXIT_TROUBLE where it cannot be read.
 */
int follow_open(const struct follow_spec *spec, struct render *out, struct causal_count *count, struct follow **result,
    struct fail *f);

/* Until all has ended, a signal comes or OUT has an error; the signal, or 0. */
int follow_run(struct follow *fo);

/* Bytes and records that are held. */
void follow_held(const struct follow *fo, size_t *bytes, size_t *records);
void follow_close(struct follow *fo);

#endif
