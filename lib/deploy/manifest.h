/*
 * manifest - what an update consists of: Azure's update manifest, v4 and v5.
 *
 *	{"manifestVersion":"4","updateId":{"provider","name","version"},
 *	 "compatibility":[SELECTOR...],
 *	 "instructions":{"steps":[STEP...]},
 *	 "files":{ID:{"fileName","sizeInBytes","hashes":{"sha256":BASE64}}}}
 *
 * A step is inline ("handler", "files", "handlerProperties") or, with "type":
 * "reference", stands for a manifest of its own, the file that its
 * "detachedManifestFileId" names, whose steps are for each component that the
 * compatibility selects.  A manifest with a "detachedManifestFileId" itself is
 * to be replaced by that file, {"updateManifest":"TEXT"}.  The file of a reference
 * step may be an import manifest (deploy/import.h), which is converted.
 *
 * Errors: EXIT_USAGE, naming the manifest and the member.
 */
#ifndef DEPLOY_MANIFEST_H
#define DEPLOY_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "base/json.h"
#include "deploy/payload.h"

enum { MANIFEST_MAX = 4 << 20, MANIFEST_STEPS_MAX = 256 };

struct manifest_step {
	char *detached;			/* a reference step's file id; NULL for an inline step */
	char *handler;			/* an inline step's handler id */
	struct json properties;		/* its handlerProperties, {} where it has none */
	const struct payload **files;	/* its payloads, of the manifest's; NULL-terminated */
};

struct manifest {
	char *version;			/* "4" or "5" */
	struct json update_id;		/* an object */
	struct json compatibility;	/* an array of selectors */
	char *detached;			/* of a manifest that only names its file; no steps then */
	struct manifest_step *steps;
	size_t n_steps;
	struct payload *files;		/* sorted by id */
	size_t n_files;
};

/*
 * TEXT is a manifest, or a detached manifest's file around one; URLS is the
 * goal's fileUrls (JSON_ABSENT for none), borrowed.  NAME is for messages.
 */
int manifest_parse(const char *name, const char *text, size_t len, struct json urls,
    struct manifest **out, struct fail *f);
void manifest_free(struct manifest *m);

/* Its file ID, or NULL. */
const struct payload *manifest_file(const struct manifest *m, const char *id);

/*
 * The file of STEP that its handler needs for every action: the one that "scriptFileName" names, and the
 * first one of microsoft/apt:1 (deploy/apt.h).  NULL where there is none; WANTED (or NULL) is then the name that none of
 * its files has, else NULL.
 */
const struct payload *manifest_step_script(const struct manifest_step *step, const char **wanted);

/* The updateId as the compact JSON text that is reported.  To be freed. */
char *manifest_update_id(const struct manifest *m);

/*
 * The manifest that P is, from CACHE alone (deploy/payload.h), parsed: the child
 * of a reference step, in which a reference is refused, or the whole manifest of
 * a goal that only names it.  -ENOENT where the cache does not have it.
 */
int manifest_load(const struct payload *p, const char *cache, struct json urls,
    struct manifest **out, struct fail *f);
int manifest_load_whole(const struct payload *p, const char *cache, struct json urls,
    struct manifest **out, struct fail *f);

#endif
