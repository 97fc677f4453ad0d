/*
 * domains - the clock domains of one run: which clock stamped a record.
 *
 * A domain has a name: the host that the record names, or the source, or what
 * clock= of the source says.  Sources that give the same name share the clock.
 * A domain has a number, from 0 on in the order in which names come up, and an
 * offset: how many nanoseconds its clock is ahead.  Offsets change the sort keys
 * of records, never their text.
 *
 * Any thread may look up a name; offsets are changed by one thread while no other
 * decodes.  A domain lives as long as its table.
 */
#ifndef RECORD_DOMAINS_H
#define RECORD_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/regex.h"

struct domain {
	char *name;
	unsigned number;
	int64_t offset_ns;
	int64_t given_ns;		/* the part of it that the user gave */
	bool is_host;			/* a record names it */
};

struct domains;

struct domains *domains_new(void);
void domains_free(struct domains *d);

/* The domain called NAME, which is added where it is new; HOST: a record names it. */
struct domain *domains_get(struct domains *d, struct span name, bool host);

/* How many there are, and the one with the number I. */
unsigned domains_count(struct domains *d);
struct domain *domains_at(struct domains *d, unsigned i);

/* How far the fastest clock is ahead of the slowest, ns. */
int64_t domains_spread(struct domains *d);

/* TO[I] is the place of domain I among all N by name, so that nothing depends on the order in which threads read. */
void domains_sort(struct domains *d, unsigned *to, unsigned n);

#endif
