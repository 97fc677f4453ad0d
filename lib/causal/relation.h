/*
 * relation - a constraint between two records as the merge, or --check, found it
 * kept or violated: what pictures draw and --check reports.
 *
 * A relation belongs to the record that is printed later.  It is kept where that
 * record needed the other one; it is violated where the other one needed it.
 */
#ifndef CAUSAL_RELATION_H
#define CAUSAL_RELATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relation {
	int64_t where;		/* the other record: its line in its source; or its offset, where lines are not counted */
	uint64_t id;		/* of the message or span; 0 for none */
	uint32_t source;	/* its rank */
	uint16_t rule;		/* UINT16_MAX: none, but the format's clocks or program order */
	uint8_t class;		/* enum constraint_class */
	bool violated;
};

struct relations {
	struct relation *v;
	size_t n, cap;
};

/* Add R, unless one of the same record, class and rule is there: false. */
bool relation_add(struct relations *to, const struct relation *r);

#endif
