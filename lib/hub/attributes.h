/*
 * attributes - the level that the hub has set for the device: its goal,
 * configurations and other shared attributes, kept in shared.json, and written
 * out as goal.json and config/INSTANCE/TOPIC (hub/hubdir.h).
 *
 * A goal that is withdrawn (null) removes goal.json.  A level without a goal leaves
 * goal.json as it is: a hub that was replaced by an empty one withdraws nothing.
 */
#ifndef HUB_ATTRIBUTES_H
#define HUB_ATTRIBUTES_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"

struct attributes {
	const char *dir;	/* of the link; borrowed */
	struct json all;	/* as hub/dialect.h has them */
};

/* What shared.json holds; a file that cannot be read is reported in F, and the level is empty. */
int attributes_open(struct attributes *a, const char *dir, struct fail *f);
void attributes_close(struct attributes *a);

/* CHANGE is merged, or is all there is where LEVEL is true; then the files are written. */
int attributes_apply(struct attributes *a, struct json change, bool level, struct fail *f);

#endif
