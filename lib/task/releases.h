/*
 * releases - up to which record the controllers of each owner have the history,
 * and up to which of their records it was dropped.
 *
 * The file has a line {"owner":UID,"released":HLC,"dropped":HLC} for each owner.
 * One that is lost or damaged only means that more is kept.
 */
#ifndef TASK_RELEASES_H
#define TASK_RELEASES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct release {
	uid_t owner;
	int64_t released, dropped;	/* ids; 0: none */
	int64_t kept;			/* bytes of records that are kept because they are not released */
};

/* Open; empty when zeroed. */
struct releases {
	struct release *items;
	size_t n, cap;
};

void releases_load(struct releases *r, const char *path);
void releases_free(struct releases *r);
void releases_copy(struct releases *to, const struct releases *from);

/* The one of OWNER, made where it is missing; valid until another one is made. */
struct release *releases_of(struct releases *r, uid_t owner);

/* The same for reading: zeros where it is missing. */
struct release releases_find(const struct releases *r, uid_t owner);

/* The greatest id that was dropped of OWNER's records (-1: of all). */
int64_t releases_dropped(const struct releases *r, int64_t owner);

void releases_format(const struct releases *r, struct buf *out);

#endif
