/*
 * roster - the devices of a rollout, each once, in the order in which they are asked.
 *
 * Input: a name a line; blank lines and those that begin with # are skipped, a name that
 * is there twice counts once.  A name has 1 to 200 bytes of
 *
 *	A-Z a-z 0-9 . _ : @ % = , + ~ - [ ]
 *
 * and does not begin with '-': it becomes an argument of ssh(1) and the like, or a level
 * of an MQTT topic, and must be neither an option nor text for a shell.
 *
 * The order is a shuffle of the sorted names that depends on the names and a seed
 * alone, so that a run that is continued has the order of the one that was killed.
 */
#ifndef FLEET_ROSTER_H
#define FLEET_ROSTER_H

#include <stdint.h>

#include "base/fail.h"
#include "base/sha.h"

enum { ROSTER_NAME_MAX = 200, ROSTER_MAX = 1 << 24 };

struct roster;

/*
 * The names that FD holds; NAME is FD's in messages.  EXIT_USAGE for a line that is no
 * name, and where there is no device at all.  Free with roster_free().
 */
int roster_read(int fd, const char *name, struct roster **out, struct fail *f);
void roster_free(struct roster *r);

uint32_t roster_count(const struct roster *r);

/* Put them in the order of SEED. */
void roster_shuffle(struct roster *r, uint64_t seed);

/* The I-th of the order, borrowed. */
const char *roster_name(const struct roster *r, uint32_t i);

/* Where NAME is in the order; -1 where it is not in the roster. */
int64_t roster_find(const struct roster *r, const char *name);

/* SHA-256 of the sorted names: equal for the same devices in any order. */
void roster_digest(const struct roster *r, char text[SHA_TEXT]);

#endif
