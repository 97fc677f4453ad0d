/*
 * preview - a goal read from a file, with its plan for a reader that does not carry
 * it out.
 *
 * Manifests of reference steps are fetched through a directory of its own below
 * TMPDIR, which preview_release() removes.
 */
#ifndef DEPLOY_PREVIEW_H
#define DEPLOY_PREVIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "base/json.h"
#include "deploy/goal.h"
#include "deploy/plan.h"

struct preview {
	struct goal *goal;
	struct plan *plan;	/* NULL until preview_make_plan() */
	char *dir;
};

/*
 * The goal in the file PATH.  EXIT_USAGE where it is none or cancels a deployment,
 * EXIT_TROUBLE where it cannot be read.  P is released in any case.
 */
int preview_load(const char *path, struct preview *p, struct fail *f);

/* The two halves of it, where a goal without a plan is of use, too: after an error of the second, release P. */
int preview_load_goal(const char *path, struct preview *p, struct fail *f);
int preview_make_plan(struct preview *p, struct fail *f);
void preview_release(struct preview *p);

/*
 * Hand each step to STEP: {"step":"1.1","handler","components","criteria","files",
 * "properties"}; "components" is the compatibility's selectors with " or " between,
 * or "host".  A stage whose manifest cannot be had is reported to PROBLEM; false
 * where there was one.
 */
bool preview_steps(const struct preview *p, void (*step)(struct json record, void *cookie),
    void (*problem)(const struct fail *f, void *cookie), void *cookie);

#endif
