/*
 * review - what would keep a goal from being carried out here, found before it is
 * deployed.
 *
 * Checked per goal: its signature; per file: is it where its URL says,
 * with the size and hash of the manifest; per step: its handler, the script that it
 * names, its criteria; per reference step: its manifest, and which components of
 * this device its compatibility selects.  Nothing of the goal is run.  Files behind
 * http URLs are not fetched, and are said to be unchecked.
 */
#ifndef DEPLOY_REVIEW_H
#define DEPLOY_REVIEW_H

#include <stdbool.h>

#include "base/json.h"
#include "deploy/goal.h"
#include "deploy/plan.h"
#include "deploy/rootkeys.h"

enum review_level {
	REVIEW_OK,
	REVIEW_WARN,		/* works, but probably not as it is meant */
	REVIEW_FAIL,		/* the agent would refuse or fail it */
};

const char *review_level_name(enum review_level l);

/* OBJECT is "signature", "FILE-NAME", "step 1"; TEXT one sentence without a full stop. */
typedef void review_finding_fn(enum review_level level, const char *object, const char *text, void *cookie);

struct review_spec {
	const struct goal *goal;
	const struct plan *plan;		/* of GOAL, with the components sorted in by plan_select() */
	const struct rootkeys *keys;
	bool allow_unsigned;
	struct json components;			/* an array, borrowed; JSON_ABSENT: unknown, selectors are not checked */
	review_finding_fn *finding;
	void *cookie;
};

/* The worst level found. */
enum review_level review_goal(const struct review_spec *spec);

#endif
