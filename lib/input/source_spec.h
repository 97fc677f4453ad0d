/*
 * source_spec - what the user wrote for a source:
 *
 *	[NAME=]LOCATION[,format=F][,order=fifo|host|none|merged][,tz=ZONE][,year=YYYY][,clock=NAME][,dir=DIR]
 *		[,token-file=FILE][,ca-file=FILE][,emitter=RE]
 *
 * LOCATION is a path, a glob, "-" for standard input, journal:UNIT with the
 * directory DIR of its files, or a place on the network or a command (input/remote.h), to
 * which the two files belong.  Where
 * a file is called just as the whole operand, it is that file.  RE is the rest
 * of the operand, and may hold commas.
 */
#ifndef INPUT_SOURCE_SPEC_H
#define INPUT_SOURCE_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/profile.h"
#include "base/fail.h"

enum source_order { ORDER_OF_FORMAT, ORDER_FIFO, ORDER_NONE, ORDER_HOST, ORDER_MERGED };

struct source_spec {
	char *name;		/* for prefixes and ties; never NULL once listed */
	char *location;
	char *format;		/* NULL: detected */
	char *zone;		/* NULL: the format's, or local */
	char *emitter;		/* NULL: the format's */
	char *clock;		/* which clock stamped its records; NULL: the host that a record names, or the source */
	char *dir;		/* of the journal's files; NULL: this machine's */
	char *token_file, *ca_file;	/* of a place on the network; NULL for none */
	enum source_order order;
	int year;		/* of its first time stamp, if that has none; 0: not said */
	bool twin;		/* an agent's file or journal, where it has both: a record may be in both */
	bool matched;		/* found by a pattern, or by its place beside another: the user did not name it */
};

struct source_specs {
	struct source_spec *v;
	size_t n;
	struct source_spec *globs;	/* the patterns, as location, that files were looked for with */
	size_t n_globs;
	bool live;		/* set before any is added: what is not there may come, and a pattern may match nothing yet */
};

/*
 * Add the sources that TEXT stands for.  Errors: EXIT_USAGE for what is
 * written wrong, EXIT_TROUBLE for a glob that matches nothing.
 */
int source_specs_add(struct source_specs *ss, const char *text, struct fail *f);

/* The sources of a profile's [log.NAME]. */
int source_specs_add_log(struct source_specs *ss, const struct profile_log *log, struct fail *f);

/* Of the sources of a profile so far: files, and journals with a format, may hold the same records. */
void source_specs_find_twins(struct source_specs *ss);

/* The history of the restarts of P's agent; none yet is no problem, and may be to come. */
void source_specs_add_restarts(struct source_specs *ss, const struct profile *p);

/* TO gets copies of what S has, to be released. */
void source_spec_copy(struct source_spec *to, const struct source_spec *s);
void source_spec_release(struct source_spec *s);

/* One source, its members copied where they are not NULL. */
void source_specs_add_one(struct source_specs *ss, const struct source_spec *s);

/* The sources of GLOB that are there now, with its options: added to SS. */
int source_specs_add_matches(struct source_specs *ss, const struct source_spec *glob, struct fail *f);

/* Is it journal:UNIT, or journal: for all of it? */
bool source_spec_is_journal(const struct source_spec *s);

/* Give every source a name of its own, and sort them by it. */
void source_specs_finish(struct source_specs *ss);
void source_specs_release(struct source_specs *ss);

#endif
