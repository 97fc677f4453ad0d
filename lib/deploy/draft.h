/*
 * draft - a goal that is being written: steps, their files and criteria.
 *
 * What is written is the desired property of Azure Device Update (deploy/goal.h)
 * with a reference step for each step of the draft: Azure's shape for updates
 * of components.  A step for the host itself becomes an inline step.  A draft
 * with id "w1" is written to a directory as
 *
 *	goal.json	the goal; its fileUrls are "file:" and absolute paths
 *	w1.1.json	the manifest of the first step that has a selector, ...
 *
 * and goal.json last, so that an agent that watches the directory never sees a
 * goal without its manifests.  Hashes and sizes are those of the files when
 * they were added.
 *
 * Errors: EXIT_USAGE for a draft that no agent could carry out, EXIT_TROUBLE and
 * EXIT_DENIED for files.
 */
#ifndef DEPLOY_DRAFT_H
#define DEPLOY_DRAFT_H

#include <stddef.h>

#include "base/fail.h"
#include "base/json.h"

struct draft;

/* What a goal is called; borrowed. */
struct draft_name {
	const char *id;				/* of the deployment; NULL for NAME-VERSION */
	const char *provider, *name, *version;	/* the update's id */
};

struct draft *draft_new(void);
void draft_free(struct draft *d);

/*
 * A further step, by the handler HANDLER for the components that SELECTOR (JSON,
 * component/selector.h) matches; "host" is the device itself.
 */
int draft_add_step(struct draft *d, const char *handler, const char *selector, struct fail *f);

/* A payload of the step added last; its name is the last component of PATH. */
int draft_add_file(struct draft *d, const char *path, struct fail *f);

/* A handlerProperties member of the step added last. */
int draft_set(struct draft *d, const char *key, const char *value, struct fail *f);

/* The same of TEXT, KEY=VALUE. */
int draft_set_pair(struct draft *d, const char *text, struct fail *f);

/*
 * Write everything as NAME to the directory DIR, which exists.  GOAL, to be freed, is the
 * path of goal.json.  A microsoft/script:1 step without scriptFileName has its
 * first file as that; a microsoft/swupdate:2 step the first that is no image, and its first image, a file *.swu, as
 * swuFileName.
 */
int draft_write(struct draft *d, const struct draft_name *name, const char *dir, char **goal, struct fail *f);

/*
 * The same as import manifests (deploy/import.h) for the devices that COMPATIBILITY, JSON, describes, each in a file
 * PROVIDER.NAME.VERSION.importmanifest.json: that of the draft, whose path PATH is, to be freed, and one NAME.N for
 * each step N with a selector.  The files of the draft are copied to DIR.  NAME's id is not used.
 */
int draft_write_import(struct draft *d, const struct draft_name *name, const char *compatibility, const char *dir,
    char **path, struct fail *f);

#endif
