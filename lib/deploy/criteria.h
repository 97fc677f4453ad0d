/*
 * criteria - when something counts as installed on a component.  One of
 *
 *	- a version: the component's version equals it exactly;
 *	- a jq program: it yields true for the component's record;
 *	- the steps of a goal or a manifest: the is-installed action of each step
 *	  that selects the component says so (deploy/handler.h);
 *	- a script of the kind microsoft/script:1, as a single such step.
 *
 * The last two are a list of steps here.
 */
#ifndef DEPLOY_CRITERIA_H
#define DEPLOY_CRITERIA_H

#include <stddef.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/json_filter.h"
#include "deploy/workdirs.h"
#include "deploy/goal.h"
#include "deploy/plan.h"

enum criteria_kind { CRITERIA_VERSION, CRITERIA_PROGRAM, CRITERIA_STEPS };

struct criteria_step {
	char *name;			/* "step_1.0"; NULL for a script */
	struct json selectors;		/* an array, borrowed; JSON_ABSENT selects every component */
	const struct manifest_step *step;
	const struct fail *fail;	/* why its manifest or script could not be had: STEP is NULL then; else NULL */
	struct fail *fetch_fail;	/* what FAIL is, where the script could not be fetched */
};

struct criteria {
	enum criteria_kind kind;
	char *text;			/* the version, the program; else NULL */
	char *workdir;			/* below TMPDIR, for WORKDIRS; NULL without steps */
	char *cache;			/* of payloads, deploy/payload.h */
	struct workdirs *workdirs;	/* in WORKDIR */
	struct json_filter *filter;	/* the program */
	struct criteria_step *steps;	/* in their order */
	size_t n_steps;
	struct goal *goal;		/* that the steps belong to ... */
	struct plan *plan;
	struct manifest_step *script;	/* ... or the script's step, and its file */
	struct payload payload;
};

/* Exactly one of VERSION, PROGRAM, MANIFEST and SCRIPT is not NULL. */
struct criteria_spec {
	const char *version, *program;
	/*
	 * A file: a goal, {"updateManifest","fileUrls"}, or a manifest or an import
	 * manifest itself, whose files then lie beside it.  It can name programs, so it must be
	 * trusted (base/file.h).
	 */
	const char *manifest;
	const char *script;
	char *const *args;	/* of it, NULL-terminated: the step's arguments, joined by blanks */
	const char *criteria;	/* of it: the step's installedCriteria; or NULL */
};

/*
 * Payloads and detached manifests are fetched through CACHE (NULL: a cache in
 * WORKDIR), by HTTP where downloads are allowed (deploy/download.h); a manifest or script that cannot be
 * fetched is a step with FAIL set.  Errors:
 * EXIT_USAGE for a program that does not compile and a manifest that is wrong;
 * else those of base/file.h.
 */
int criteria_init(struct criteria *q, const struct criteria_spec *spec, const char *cache,
    struct fail *f);

/* Removes WORKDIR. */
void criteria_release(struct criteria *q);

#endif
