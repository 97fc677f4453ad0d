/*
 * step_files - the work directory of one step on one component, and the payloads
 * in it.
 *
 * The step's own check needs its script and nothing else; most checks find the
 * component at its goal.  So the directory is made with the script alone
 * (step_files_prepare), and filled with the rest once there is something to
 * install (step_files_download).  A script that is in the cache, and short, is put
 * there at once; a child fetches everything else.
 */
#ifndef DEPLOY_STEP_FILES_H
#define DEPLOY_STEP_FILES_H

#include <stdbool.h>

#include "deploy/cycle_context.h"
#include "deploy/payload_job.h"

struct step_files {
	char *workdir;			/* NULL outside of a step */
	const struct payload *script;	/* the one that is there from the start; NULL for none */
	bool has_payloads;		/* and all others are, too */
	bool has_large_script;		/* a child put it there: the directory serves nothing else */
	struct payload_job *job;	/* under way, or NULL; its callback sets it to NULL */
};

/*
 * Both return 0 when the files are there, 1 while a child fetches them (DONE is
 * called with COOKIE when it has ended), -errno with F filled where it cannot be done.
 */
int step_files_prepare(struct step_files *s, struct cycle_context *c, const struct manifest_step *step,
    payload_job_done *done, void *cookie, struct fail *f);
int step_files_download(struct step_files *s, struct cycle_context *c, const struct manifest_step *step,
    payload_job_done *done, void *cookie, struct fail *f);

/* The step has ended: the directory is removed, or serves another component where nothing was done in it. */
void step_files_give_back(struct step_files *s, struct cycle_context *c);

/* A handler still works in the directory: it stays. */
void step_files_leave(struct step_files *s);

#endif
