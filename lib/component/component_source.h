/*
 * component_source - a sequence of components, from inventories or from a stream
 * of records.
 *
 * Inventories are enumerated as a whole, and their components come sorted by
 * id; records are passed on as they are written, and are read only while they are
 * wanted.
 */
#ifndef COMPONENT_COMPONENT_SOURCE_H
#define COMPONENT_COMPONENT_SOURCE_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "component/enumerate.h"

struct component_source_spec {
	struct enumerate_spec inventories;	/* PROBLEM is also called for bad records */
	int fd;			/* where records are read, NAME in messages; -1: the inventories */
	const char *name;
	loop_fn *wake;		/* called when there may be more, and at the end */
	void *cookie;
};

struct component_source;

/* SPEC is copied, its strings must live as long as the source. */
struct component_source *component_source_open(struct loop *l, const struct component_source_spec *spec);

/* May be called before the end: probes are killed. */
void component_source_close(struct component_source *s);

/* With YES, WAKE is called when there is more; else nothing is read, and the writer of records blocks. */
void component_source_want(struct component_source *s, bool yes);

/* 1 with a component in C, owned by the caller; 0 if there is none now. */
int component_source_next(struct component_source *s, struct json *c);

bool component_source_is_at_end(const struct component_source *s);

/* The worst problem so far: EXIT_NO for bad records. */
enum exit_status component_source_status(const struct component_source *s);

#endif
