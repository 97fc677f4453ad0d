/*
 * oversessions - which sessions may be over and forgotten, so that a request
 * that arrives late does not make one of them anew.
 *
 * The ids that a controller directory gives rise.  So of each owner's controller
 * (its "run") the greatest forgotten id is kept, the floor: a session at or below
 * it may be over.  Of more than OVERSESSIONS_RUNS controllers of an owner the one
 * with the lowest floor is dropped, and its floor is that of all of the owner.
 *
 * The file has a line {"owner":UID,"run":N,"floor":ID} for each; run -1 is that
 * of all.  It is not synced, because a heartbeat never waits for the disk: where
 * a power cut has damaged it, every session up to that moment counts as over.
 */
#ifndef TASK_OVERSESSIONS_H
#define TASK_OVERSESSIONS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"

enum { OVERSESSIONS_RUNS = 256 };

struct oversessions;

/* What the file PATH holds; nothing where it is missing.  NOW is the wall clock as an id. */
struct oversessions *oversessions_open(const char *path, int64_t now, struct fail *f);
void oversessions_close(struct oversessions *o);

/* The session ID of the controller RUN of OWNER is to be forgotten; after oversessions_save(). */
void oversessions_add(struct oversessions *o, uid_t owner, int64_t run, int64_t id);

/* 0, or a negative errno; nothing is written where nothing was added. */
int oversessions_save(struct oversessions *o);

/* A new session of RUN of OWNER has an id over this one. */
int64_t oversessions_floor(const struct oversessions *o, uid_t owner, int64_t run);

#endif
