/*
 * import - an import manifest: the form in which an update is written, before a service
 * makes a goal of it.  Azure's, v4 and v5:
 *
 *	{"manifestVersion":"5.0", "updateId":{"provider","name","version"},
 *	 "isDeployable":true, "compatibility":[SELECTOR...],
 *	 "instructions":{"steps":[STEP...]},
 *	 "files":[{"filename","sizeInBytes","hashes":{"sha256":BASE64}}...]}
 *
 * It differs from the update manifest (deploy/manifest.h) in this: files are an array,
 * steps name them by "filename", and a reference step has the "updateId" of another
 * import manifest.  That one is the file PROVIDER.NAME.VERSION.importmanifest.json, and
 * it and all payloads are where the import manifest itself is.
 *
 * The id of a file is its name here.  An import manifest is never signed.
 *
 * Errors: EXIT_USAGE, naming the manifest and the member; those of the place.
 */
#ifndef DEPLOY_IMPORT_H
#define DEPLOY_IMPORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"

/* Is V an import manifest, of whatever version? */
bool import_is_manifest(struct json v);

/* May V be deployed by itself?  EXIT_USAGE where "isDeployable" is false. */
int import_check_deployable(const char *name, struct json v, struct fail *f);

/* The update manifest that V stands for.  A reference step names its file, without a hash. */
int import_manifest(const char *name, struct json v, struct json *out, struct fail *f);

/* The file name of the import manifest that the updateId ID names; to be freed.  NULL where it can be none. */
char *import_child_name(struct json id);

/* Where an import manifest is, and what lies beside it. */
struct import_place {
	/* The text of the file NAME beside it, into TEXT. */
	int (*load)(const char *name, struct buf *text, struct fail *f, void *cookie);
	void *cookie;
	const char *before, *after;	/* the URL of a file beside it, around its escaped name */
};

/* The URL of the file NAME; to be freed. */
char *import_url(const struct import_place *place, const char *name);

/*
 * The goal that V stands for, as text.  Its workflow's id is PROVIDER.NAME.VERSION-HASH
 * with eight digits of a hash over all manifests: another content is another deployment.
 */
int import_goal(const char *name, struct json v, const struct import_place *place, struct buf *goal, struct fail *f);

#endif
