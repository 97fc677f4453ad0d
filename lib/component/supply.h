/*
 * supply - components one by one, from inventories or from records that come in.
 *
 * Inventories are enumerated as a whole, and their components come sorted by
 * id; records come as they are written, and are read only while they are
 * wanted.
 */
#ifndef COMPONENT_SUPPLY_H
#define COMPONENT_SUPPLY_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "component/enumerate.h"

struct supply_spec {
	struct enumerate_spec inventories;	/* PROBLEM is also told of bad records */
	int fd;			/* records from there, called NAME in messages; -1: the inventories */
	const char *name;
	loop_fn *wake;		/* there may be more; also at the end */
	void *cookie;
};

struct supply;

/* SPEC is copied, its strings must live as long as the supply. */
struct supply *supply_open(struct loop *l, const struct supply_spec *spec);

/* Also before its end: probes are killed. */
void supply_close(struct supply *s);

/* Wake when there is more to take; while it is not wanted, who writes records has to wait. */
void supply_want(struct supply *s, bool yes);

/* 1 with a component in C, the caller's; 0 where there is none now. */
int supply_next(struct supply *s, struct json *c);

bool supply_is_at_end(const struct supply *s);

/* The worst problem so far: EXIT_NO for bad records. */
enum exit_status supply_status(const struct supply *s);

#endif
