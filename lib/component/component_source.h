/*
 * supply - components one by one, from inventories or from records that come in.
 *
 * Inventories are enumerated as a whole, and their components come sorted by
 * id; records come as they are written, and are read only while they are
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
	struct enumerate_spec inventories;	/* PROBLEM is also told of bad records */
	int fd;			/* records from there, called NAME in messages; -1: the inventories */
	const char *name;
	loop_fn *wake;		/* there may be more; also at the end */
	void *cookie;
};

struct component_source;

/* SPEC is copied, its strings must live as long as the supply. */
struct component_source *component_source_open(struct loop *l, const struct component_source_spec *spec);

/* Also before its end: probes are killed. */
void component_source_close(struct component_source *s);

/* Wake when there is more to take; while it is not wanted, who writes records has to wait. */
void component_source_want(struct component_source *s, bool yes);

/* 1 with a component in C, the caller's; 0 where there is none now. */
int component_source_next(struct component_source *s, struct json *c);

bool component_source_is_at_end(const struct component_source *s);

/* The worst problem so far: EXIT_NO for bad records. */
enum exit_status component_source_status(const struct component_source *s);

#endif
