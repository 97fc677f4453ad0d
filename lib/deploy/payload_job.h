/*
 * payload_job - fetch the payloads of a step and put them into its work directory,
 * in a child process: hashing and copying gigabytes must not block the loop.
 *
 * The child is a fork of the agent, dies with it, and is owned by the loop.
 */
#ifndef DEPLOY_PAYLOAD_JOB_H
#define DEPLOY_PAYLOAD_JOB_H

#include "base/fail.h"
#include "base/loop.h"
#include "deploy/payload.h"

struct payload_job;

/* F is why it failed, or NULL.  Called once, from the loop; the job is gone then. */
typedef void payload_job_done(const struct fail *f, void *cookie);

/*
 * Fetch FILES (NULL-terminated) but SKIP into CACHE and copy each to FOLDER.  FILES must
 * live until DONE.  NULL with F filled where no child can be made.
 */
struct payload_job *payload_job_start(struct loop *l, const struct payload *const *files,
    const struct payload *skip, const char *cache, const char *folder, payload_job_done *done, void *cookie,
    struct fail *f);

/* End it; DONE is still called, with the failure. */
void payload_job_end(struct payload_job *j);

#endif
