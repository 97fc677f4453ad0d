/*
 * plan - which of a goal's steps are for which components.
 *
 * Each step of the goal's manifest is a stage.  An inline step's is for the
 * host; a reference step's is for the components that its own manifest's
 * compatibility selects: any of the selectors of the array (the Azure agent
 * looks at the first one only).
 */
#ifndef DEPLOY_PLAN_H
#define DEPLOY_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "base/json.h"
#include "deploy/goal.h"
#include "deploy/manifest.h"

struct plan_stage {
	size_t number;			/* of the step in the goal's manifest, from 0 */
	const struct manifest_step *steps;	/* what is done, in order, for each component */
	size_t n_steps;
	bool is_host;			/* an inline step: no component is selected */
	struct manifest *child;		/* a reference step's manifest; NULL if it could not be fetched */
	struct fail fail;		/* then: the reason */
	struct json selected;		/* array of records: those that are here */
	struct json waiting;		/* and those that are offline */
};

struct plan {
	struct manifest *unfolded;	/* of a goal that only names its manifest's file; else NULL */
	const struct manifest *manifest;
	struct plan_stage *stages;
	size_t n_stages;
};

/* Why the manifests of a plan could not be fetched; EXIT_OK where they were. */
struct plan_faults {
	struct fail whole;				/* the goal's own, where that is a file */
	struct fail stages[MANIFEST_STEPS_MAX];		/* those of reference steps */
};

/*
 * The plan for G, which must outlive it; manifests are fetched through CACHE.
 * A reference step whose manifest cannot be fetched is a stage with an error in
 * FAIL; the other stages are not affected.
 */
int plan_new(const struct goal *g, const char *cache, struct plan **out, struct fail *f);

/*
 * The same from what CACHE has, without fetching, so that nothing blocks for long.
 * Returns 1 where manifests are missing; with FAULTS, from plan_fetch(), they are
 * stages with those errors instead.
 */
int plan_load(const struct goal *g, const char *cache, const struct plan_faults *faults, struct plan **out,
    struct fail *f);

/* Fetch all manifests of G into CACHE. */
void plan_fetch(const struct goal *g, const char *cache, struct plan_faults *out);

void plan_free(struct plan *p);

/* True if the selectors of S match COMPONENT; false for a stage of the host. */
bool plan_selects(const struct plan_stage *s, struct json component);

/* Sort COMPONENTS, an array of records, into each stage's SELECTED and WAITING. */
void plan_select(struct plan *p, struct json components);

#endif
