/*
 * spec - what the user wrote for a source:
 *
 *	[NAME=]LOCATION[,format=F][,order=fifo|none][,tz=ZONE][,token-file=FILE][,ca-file=FILE][,emitter=RE]
 *
 * LOCATION is a path, a glob, "-" for standard input, journal:UNIT,
 * or a place on the network (feed/remote.h), to which the two files belong.  Where
 * a file is called just as the whole operand, it is that file.  RE is the rest
 * of the operand, and may hold commas.
 */
#ifndef FEED_SPEC_H
#define FEED_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/profile.h"
#include "base/fail.h"

enum spec_order { ORDER_OF_FORMAT, ORDER_FIFO, ORDER_NONE };

struct spec {
	char *name;		/* for prefixes and ties; never NULL once listed */
	char *location;
	char *format;		/* NULL: detected */
	char *zone;		/* NULL: the format's, or local */
	char *emitter;		/* NULL: the format's */
	char *token_file, *ca_file;	/* of a place on the network; NULL for none */
	enum spec_order order;
};

struct specs {
	struct spec *v;
	size_t n;
	struct spec *globs;	/* the patterns, as location, that files were looked for with */
	size_t n_globs;
	bool live;		/* set before any is added: what is not there may come, and a pattern may match nothing yet */
};

/*
 * Add the sources that TEXT stands for.  Errors: EXIT_USAGE for what is
 * written wrong, EXIT_TROUBLE for a glob that matches nothing.
 */
int specs_add(struct specs *ss, const char *text, struct fail *f);

/* The sources of a profile's [log.NAME]. */
int specs_add_log(struct specs *ss, const struct profile_log *log, struct fail *f);

/* The history of the restarts of P's agent; none yet is no problem, and may be to come. */
void specs_add_restarts(struct specs *ss, const struct profile *p);

/* TO gets copies of what S has, to be released. */
void spec_copy(struct spec *to, const struct spec *s);
void spec_release(struct spec *s);

/* One source, its members copied where they are not NULL. */
void specs_add_one(struct specs *ss, const struct spec *s);

/* The sources of GLOB that are there now, with its options: added to SS. */
int specs_add_matches(struct specs *ss, const struct spec *glob, struct fail *f);

/* Give every source a name of its own, and sort them by it. */
void specs_finish(struct specs *ss);
void specs_release(struct specs *ss);

#endif
