/*
 * sources - all the logs of one run, in the order of their names.
 */
#ifndef LOG_SOURCES_H
#define LOG_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input/source_spec.h"
#include "record/source.h"

struct sources {
	struct source **v;
	unsigned n;
	struct domains *domains;	/* their clocks */
	const struct domain **apart;	/* domains that are read by views of their own; NULL for none */
};

struct sources_wanted {
	const struct source_specs *specs;
	const struct formats *formats;
	void (*problem)(const struct fail *f, void *cookie);
	void *cookie;
};

/*
 * Open those of SPECS that can be; PROBLEM is told of each other one.  The
 * read buffers are the smaller the more there are, and where there are more
 * files than descriptors, each is opened anew when it is read.  A negative
 * result, with F filled, for what is wrong with the operands themselves.
 */
int sources_open(struct sources *all, const struct sources_wanted *w, struct fail *f);

/*
 * Have the records of each of the N DOMAINS, which ALL takes, read apart from the
 * others of the source I: a view for each joins ALL, behind it.
 */
void sources_split(struct sources *all, unsigned i, const struct domain **domains, unsigned n);

/* PROBLEM is told of those that could not be read to their end. */
void sources_close(struct sources *all, void (*problem)(const struct fail *f, void *cookie), void *cookie);

#endif
