/*
 * question - what is asked of each component: is this installed on it?
 *
 * One of
 *	- a version, to which its own must be exactly equal;
 *	- a jq program, which says true or false of its record;
 *	- the steps of a goal or a manifest: those that are for it must all say
 *	  that they are installed (deploy/handler.h, is-installed);
 *	- a script of the microsoft/script:1 kind, as if it were such a step.
 * The last two are a list of steps here.
 */
#ifndef DEPLOY_QUESTION_H
#define DEPLOY_QUESTION_H

#include <stddef.h>

#include "base/fail.h"
#include "base/json.h"
#include "deploy/folder.h"
#include "deploy/goal.h"
#include "deploy/plan.h"

enum question_kind { QUESTION_VERSION, QUESTION_PROGRAM, QUESTION_STEPS };

struct question_step {
	char *name;			/* "step_1.0"; NULL for a script */
	struct json selectors;		/* for whom, an array, borrowed; JSON_ABSENT for everybody */
	const struct manifest_step *step;
	const struct fail *fail;	/* why it could not be had: STEP is NULL then; else NULL */
};

struct question {
	enum question_kind kind;
	char *text;			/* the version, the program; else NULL */
	char *folder;			/* its own, below TMPDIR, while it has steps: for work folders */
	char *cache;			/* of payloads, deploy/payload.h */
	struct folders *folders;	/* in FOLDER */
	struct json_filter *filter;	/* the program */
	struct question_step *steps;	/* in their order */
	size_t n_steps;
	struct goal *goal;		/* where they come from ... */
	struct plan *plan;
	struct manifest_step *script;	/* ... or the one there is, and its file */
	struct payload payload;
};

/* What the user asks: one of VERSION, PROGRAM, MANIFEST, SCRIPT is not NULL. */
struct question_spec {
	const char *version, *program;
	/*
	 * A file: a goal, {"updateManifest","fileUrls"}, or a manifest itself,
	 * whose files then lie beside it.  It can name programs, so nobody else
	 * may have written it.
	 */
	const char *manifest;
	const char *script;
	char *const *args;	/* of it, NULL-terminated: the step's arguments, joined by blanks */
	const char *criteria;	/* of it: the step's installedCriteria; or NULL */
};

/*
 * Payloads, and the manifests that a manifest refers to, are fetched through
 * CACHE, NULL for one in the question's folder; a manifest that cannot be had
 * is a step that says so.  Errors: EXIT_USAGE for a program that does not
 * compile and a wrong manifest; else what the files are up to.
 */
int question_init(struct question *q, const struct question_spec *spec, const char *cache,
    struct fail *f);

/* The folder is removed. */
void question_release(struct question *q);

#endif
