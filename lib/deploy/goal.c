#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "deploy/download.h"
#include "deploy/goal.h"

/* The desired property itself, out of the twin's component around it. */
static struct json
text_unfold(struct json v)
{
	_cleanup_json_ struct json outer = json_get(v, "deviceUpdate");
	_cleanup_json_ struct json component = json_is_object(outer) ? json_copy(outer) : json_copy(v);
	struct json service = json_get(component, "service");

	if (json_is_object(service))
		return service;
	json_release(&service);
	return json_copy(component);
}

static char *
copy_text(struct json object, const char *key)
{
	const char *s = json_get_text(object, key);

	return s ? xstrdup(s) : NULL;
}

/* A string with what NUL it may hold; nothing where it is no string. */
static void
copy_bytes(struct json object, const char *key, char **out, size_t *len)
{
	_cleanup_json_ struct json v = json_get(object, key);

	if (!json_get_string(v))
		return;
	*len = json_string_len(v);
	*out = xstrndup(json_get_string(v), *len);
}

static int
parse_workflow(const char *name, struct goal *g, struct fail *f)
{
	_cleanup_json_ struct json action = json_get(g->workflow, "action");
	int64_t number;

	if (json_kind(g->workflow) == JSON_NONE)
		return fail_set(f, EXIT_USAGE, "%s: is no goal: it has no workflow", name);
	if (!json_is_object(g->workflow))
		return fail_set(f, EXIT_USAGE, "%s: workflow is %s, not an object", name,
		    json_kind_name(g->workflow));
	if (!json_get_whole(action, &number) || (number != GOAL_PROCESS && number != GOAL_CANCEL))
		return fail_set(f, EXIT_USAGE, "%s: workflow.action is neither 3 nor 255", name);
	g->action = (int)number;
	g->id = copy_text(g->workflow, "id");
	if (!g->id || !*g->id || strlen(g->id) > GOAL_ID_MAX)
		return fail_set(f, EXIT_USAGE, "%s: workflow.id is not a text of 1 to %d bytes", name,
		    GOAL_ID_MAX);
	g->retry_timestamp = copy_text(g->workflow, "retryTimestamp");
	return 0;
}

static int
service_parse(const char *name, struct json service, struct goal *g, struct fail *f)
{
	_cleanup_json_ struct json text = json_get(service, "updateManifest");
	int r;

	g->workflow = json_get(service, "workflow");
	r = parse_workflow(name, g, f);
	if (r < 0 || g->action == GOAL_CANCEL)
		return r;
	copy_bytes(service, "updateManifestSignature", &g->signature, &g->signature_len);
	copy_bytes(service, "updateManifest", &g->manifest_text, &g->manifest_len);
	g->urls = json_get(service, "fileUrls");
	if (json_kind(g->urls) == JSON_NULL)
		json_release(&g->urls);
	if (json_kind(g->urls) != JSON_NONE && !json_is_object(g->urls))
		return fail_set(f, EXIT_USAGE, "%s: fileUrls is %s, not an object", name,
		    json_kind_name(g->urls));
	if (!json_get_string(text))
		return fail_set(f, EXIT_USAGE, "%s: updateManifest is %s, not a string", name,
		    json_kind_name(text));
	return manifest_parse(name, json_get_string(text), json_string_len(text), g->urls,
	    &g->manifest, f);
}

/* The workflow of SERVICE, the modules of WHOLE, or both. */
static int
goal_fill(const char *name, struct json whole, struct json service, struct goal *g, struct fail *f)
{
	_cleanup_json_ struct json workflow = json_get(service, "workflow");
	int r;

	if (module_manifest_is(whole)) {
		r = module_manifest_parse(name, whole, &g->modules, f);
		if (r < 0)
			return r;
		if (json_kind(workflow) == JSON_NONE) {
			g->action = GOAL_MODULES;
			g->id = xstrdup(g->modules->id);
			return 0;
		}
	}
	return service_parse(name, service, g, f);
}

int
goal_parse(const char *name, const char *text, size_t len, struct goal **out, struct fail *f)
{
	_cleanup_json_ struct json whole = JSON_ABSENT;
	_cleanup_json_ struct json service = JSON_ABSENT;
	struct goal *g;
	int r = json_parse(name, text, len, &whole, f);

	if (r < 0)
		return r;
	if (!json_is_object(whole))
		return fail_set(f, EXIT_USAGE, "%s: is %s, not an object", name, json_kind_name(whole));
	service = text_unfold(whole);
	g = xcalloc(1, sizeof *g);
	r = goal_fill(name, whole, service, g, f);
	if (r < 0)
		goal_free(g);
	else
		*out = g;
	return r;
}

void
goal_free(struct goal *g)
{
	if (!g)
		return;
	free(g->id);
	free(g->retry_timestamp);
	free(g->signature);
	free(g->manifest_text);
	json_release(&g->workflow);
	json_release(&g->urls);
	manifest_free(g->manifest);
	module_manifest_free(g->modules);
	free(g);
}

static bool
has_server(struct json urls)
{
	if (json_get_string(urls))
		return download_is_url(json_get_string(urls));
	for (size_t i = 0; i < json_count(urls); i++) {
		_cleanup_json_ struct json one = json_at(urls, i);

		if (download_is_url(json_get_string(one)))
			return true;
	}
	return false;
}

bool
goal_is_remote(const struct goal *g)
{
	bool found = false;

	for (struct json_iter it = json_begin(g->urls); json_next(&it); )
		found |= has_server(it.value);
	return found;
}
