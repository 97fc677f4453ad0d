/*
 * committer - a thread that brings files to the disk, so that the loop, and a
 * heartbeat with it, never waits for one.
 *
 * A job is a function that runs in the thread, and another one that is told its
 * result on the loop.  What a job must have on the disk it names with
 * committer_sync().  Jobs are done in the order in which they were added.  Those
 * that wait at the same time are committed as a group: first all are written,
 * then writeback is begun for all, then each is fsynced, of which on most file
 * systems only the first one waits.
 *
 * The function in the thread may use nothing that the loop changes meanwhile.
 */
#ifndef TASK_COMMITTER_H
#define TASK_COMMITTER_H

#include <stddef.h>

#include "base/fail.h"
#include "base/loop.h"

struct committer;
struct committer_job;

/* Runs in the thread; 0 or a negative errno. */
typedef int committer_work(struct committer_job *j, void *cookie);

/* Runs on the loop: ERR is 0 where the work succeeded and what it named is on the disk, else a negative errno. */
typedef void committer_done(int err, void *cookie);

struct committer *committer_new(struct loop *l, struct fail *f);

/* The jobs that were added are done first, and their results told. */
void committer_free(struct committer *c);

void committer_add(struct committer *c, committer_work *work, committer_done *done, void *cookie);

/* From the work of J: fsync FD, then close it.  At most COMMITTER_FDS a job. A negative FD fails it with errno. */
enum { COMMITTER_FDS = 5 };
void committer_sync(struct committer_job *j, int fd);

/* Wait until all jobs are done, those included that are added by the results of others; the results are told. */
void committer_drain(struct committer *c);

/* How many jobs are not done. */
size_t committer_pending(const struct committer *c);

#endif
