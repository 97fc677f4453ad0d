/*
 * forgotten - which tasks were over whose end the history holds no more, so that
 * none of them is run again.
 *
 * Of each owner the greatest forgotten id is kept, the floor: an id at or below
 * it may have run.  An id that was ahead of the agent's clock is kept by itself,
 * so that a controller with a wrong clock does not raise the floor above the ids
 * of right ones; only FORGOTTEN_AHEAD of an owner are.
 *
 * The file has a line {"owner":UID,"floor":ID} for each owner, and a line
 * {"owner":UID,"ahead":ID} for each id that is kept by itself.
 */
#ifndef TASK_FORGOTTEN_H
#define TASK_FORGOTTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"

enum { FORGOTTEN_AHEAD = 1000 };

struct forgotten;

/* What the file PATH holds; nothing where it is missing. */
struct forgotten *forgotten_open(const char *path, struct fail *f);
void forgotten_close(struct forgotten *g);

/* The end of TASK of OWNER, which was recorded at NOW by the agent's clock, is to be forgotten. */
void forgotten_add(struct forgotten *g, uid_t owner, int64_t task, int64_t now);

/* What the file is to hold; the caller brings it to the disk (task/retention.h). */
void forgotten_format(const struct forgotten *g, struct buf *out);

/* May TASK of OWNER be one of them? */
bool forgotten_has(const struct forgotten *g, uid_t owner, int64_t task);

#endif
