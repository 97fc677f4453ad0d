/*
 * recorder - the requests that are on their way to the disk.
 *
 * A request becomes the directory of its task: stdin, request.json and lease,
 * in this order, so that a directory with a whole request.json is a whole task.
 * It is acknowledged when all of that is on the disk; one that fails is undone
 * before it is refused.
 */
#ifndef TASK_RECORDER_H
#define TASK_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/committer.h"
#include "task/refusal.h"
#include "task/submit.h"
#include "task/taskrecord.h"

struct recorder;

/* T was recorded, or (T NULL) refused, as R says. */
typedef void recorder_answer(struct taskrecord *t, const struct refusal *r, void *cookie);

/* RECORDED is called before the answers; the taskrecord is its own from there on. */
struct recorder *recorder_new(struct committer *c, void (*recorded)(struct taskrecord *t, void *cookie), void *cookie);

/* The committer has been drained. */
void recorder_free(struct recorder *r);

/* Record T, which is given to it, by the request Q. */
void recorder_add(struct recorder *r, struct taskrecord *t, const struct submit *q, recorder_answer *fn, void *cookie);

/* The task ID, while it is on its way; else NULL. */
const struct taskrecord *recorder_find(const struct recorder *r, int64_t id);

/* Answer another request for the task ID, which is on its way, too. */
void recorder_wait(struct recorder *r, int64_t id, recorder_answer *fn, void *cookie);

/* Is one with the lease of SESSION on its way? */
bool recorder_needs_session(const struct recorder *r, int64_t session);

/* How many are on their way; those of OWNER. */
size_t recorder_count(const struct recorder *r);
size_t recorder_count_of(const struct recorder *r, uid_t owner);

#endif
