/*
 * goal - the deployment that the hub wants: Azure's desired property.
 *
 *	{"workflow":{"action":3,"id":ID,"retryTimestamp":TIME},
 *	 "updateManifest":TEXT, "updateManifestSignature":JWS,
 *	 "fileUrls":{ID:URL}}
 *
 * For a URL may stand an array of URLs that have the same content.
 *
 * bare, or inside {"deviceUpdate":{"service":...}}.  Action 3 processes the
 * deployment, 255 cancels it (no manifest then).  The manifest is text inside
 * the JSON, because its signature is over exactly those bytes.
 *
 * The document may also be, or hold beside the workflow, a deployment of modules
 * (deploy/module_manifest.h).  No signature covers that.
 *
 * Errors: EXIT_USAGE, naming the goal and the member.
 */
#ifndef DEPLOY_GOAL_H
#define DEPLOY_GOAL_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"
#include "deploy/manifest.h"
#include "deploy/module_manifest.h"

enum { GOAL_MODULES = 0, GOAL_PROCESS = 3, GOAL_CANCEL = 255 };	/* GOAL_MODULES: there is no workflow */
enum { GOAL_ID_MAX = 255 };	/* bytes of a workflow's id */

struct goal {
	int action;
	char *id;			/* the workflow's; without one that of the deployment of modules */
	char *retry_timestamp;		/* NULL for none */
	char *signature;		/* the JWS; NULL where it is not signed */
	size_t signature_len;		/* its bytes: a NUL among them is no end */
	char *manifest_text;		/* updateManifest as received, the bytes that are signed */
	size_t manifest_len;
	struct json workflow;		/* as given, to be reported */
	struct json urls;		/* fileUrls, or JSON_ABSENT */
	struct manifest *manifest;	/* NULL for a cancel, and without a workflow */
	struct module_manifest *modules;	/* NULL for none */
};

/* NAME is for messages. */
int goal_parse(const char *name, const char *text, size_t len, struct goal **out, struct fail *f);
void goal_free(struct goal *g);

/* Does G name servers that its files come from? */
bool goal_is_remote(const struct goal *g);

#endif
