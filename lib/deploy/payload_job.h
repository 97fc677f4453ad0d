/*
 * payload_job - fetch the payloads of a step and put them into its work directory,
 * in a child process: hashing and copying gigabytes must not block the loop.
 */
#ifndef DEPLOY_PAYLOAD_JOB_H
#define DEPLOY_PAYLOAD_JOB_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/loop.h"
#include "deploy/download.h"
#include "deploy/payload.h"

struct payload_job;

struct payload_job_spec {
	const struct payload *const *files;	/* NULL-terminated; they must live until the end */
	const struct payload *only;		/* of them; NULL: all ... */
	const struct payload *skip;		/* ... but this one; NULL: none */
	const char *cache, *folder;		/* where they go; both must live until the end */
	bool executable;
	const struct http_job_link *link;	/* for what comes from servers; it must live until the end */
	struct download_progress progress;	/* the job's own */
};

/* F is why it failed, or NULL.  Called once, from the loop; the job is gone then. */
typedef void payload_job_done(const struct fail *f, void *cookie);

/* Fetch the files into CACHE and copy each to FOLDER.  NULL with F filled where no child can be made. */
struct payload_job *payload_job_start(struct loop *l, const struct payload_job_spec *spec,
    payload_job_done *done, void *cookie, struct fail *f);

/* How far the download is that is under way; false where there is none. */
bool payload_job_progress(const struct payload_job *j, int64_t *got, int64_t *size);

/* End it; DONE is still called, with the failure. */
void payload_job_end(struct payload_job *j);

#endif
