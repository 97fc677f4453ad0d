#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "deploy/download.h"
#include "deploy/goal.h"
#include "deploy/module_manifest.h"

enum { HASH_DIGITS = 64 };

static const char backdoor[] = "backdoor-";

bool
module_manifest_is(struct json v)
{
	_cleanup_json_ struct json instances = json_get(v, "instanceSpecs"), modules = json_get(v, "modules");

	return json_kind(instances) != JSON_NONE || json_kind(modules) != JSON_NONE;
}

/* A name that may be shown, and is that of a file once it is encoded. */
static bool
is_name(const char *s)
{
	const size_t n = strlen(s);

	if (n == 0 || n > MODULE_MANIFEST_NAME || *s == '$' || strchr(s, '/'))
		return false;
	for (size_t i = 0; i < n; i++)
		if (iscntrl((unsigned char)s[i]))
			return false;
	return true;
}

/* The text KEY of V, "" where it is missing or null; NULL where it is something else. */
static char *
text_copy(struct json v, const char *key)
{
	_cleanup_json_ struct json member = json_get(v, key);
	const char *s = json_get_text(v, key);

	if (json_kind(member) == JSON_NONE || json_kind(member) == JSON_NULL)
		return xstrdup("");
	return s ? xstrdup(s) : NULL;
}

/* version is a number, or a text. */
static char *
version_copy(struct json v)
{
	_cleanup_json_ struct json member = json_get(v, "version");
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (json_kind(member) != JSON_NUMBER)
		return text_copy(v, "version");
	json_get_spelling(member, &b);
	return xstrdup(b.s);
}

/* Empty strings for what is wrong: the problem says so. */
static void
text_default(char **s)
{
	if (!*s)
		*s = xstrdup("");
}

static const char *
hash_problem(char *hash)
{
	if (strlen(hash) != HASH_DIGITS || hash[strspn(hash, "0123456789abcdefABCDEF")])
		return *hash ? "hash is not a SHA-256 of 64 hex digits" : "has no hash";
	for (char *p = hash; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return NULL;
}

static const char *
module_problem(struct manifest_module *m)
{
	if (!is_name(m->id))
		return "is not a name for a module";
	if (!m->url || !m->hash || !m->entry_point || !m->impl)
		return "entryPoint, moduleImpl, downloadUrl and hash are not all texts";
	if (m->is_backdoor)
		return NULL;
	if (!download_is_url(m->url) && strncmp(m->url, "file:", 5) != 0)
		return "downloadUrl is not an http, https or file URL";
	return hash_problem(m->hash);
}

static void
module_parse(const char *id, struct json v, struct manifest_module *m)
{
	const char *problem;

	*m = (struct manifest_module){ .id = xstrdup(id), .entry_point = text_copy(v, "entryPoint"),
		.impl = text_copy(v, "moduleImpl"), .url = text_copy(v, "downloadUrl"), .hash = text_copy(v, "hash") };
	if (m->impl && !*m->impl) {
		free(m->impl);
		m->impl = xstrdup("spawn");
	}
	m->is_backdoor = m->url && (!*m->url || strcmp(m->url, "EVP-BACKDOOR") == 0 ||
	    (m->entry_point && strncmp(m->entry_point, backdoor, sizeof backdoor - 1) == 0));
	problem = json_is_object(v) ? module_problem(m) : "is not an object";
	if (problem)
		m->problem = xstrdup(problem);
	text_default(&m->entry_point);
	text_default(&m->impl);
	text_default(&m->url);
	text_default(&m->hash);
}

/* ALIAS -> TOPIC, both texts. */
static bool
is_alias_map(struct json v)
{
	if (json_kind(v) == JSON_NONE)
		return true;
	if (!json_is_object(v))
		return false;
	for (struct json_iter it = json_begin(v); json_next(&it); )
		if (!json_get_string(it.value)) {
			json_end(&it);
			return false;
		}
	return true;
}

static struct json
member_get(struct json v, const char *key)
{
	struct json member = json_get(v, key);

	if (json_kind(member) == JSON_NULL)
		json_release(&member);
	return member;
}

static char *
instance_problem(const struct module_manifest *d, const struct manifest_instance *i, struct json v)
{
	if (!json_is_object(v))
		return xstrdup("is not an object");
	if (!is_name(i->name))
		return xstrdup("is not a name for an instance");
	if (!i->module_id || !*i->module_id)
		return xstrdup("moduleId is not a text");
	if (!i->entry_point || !i->version)
		return xstrdup("entryPoint or version is not a text");
	if (!is_alias_map(i->publish) || !is_alias_map(i->subscribe))
		return xstrdup("publish or subscribe is not an object of topics");
	if (!module_manifest_module(d, i->module_id))
		return xasprintf("module %s is not in the deployment", i->module_id);
	return NULL;
}

static void
instance_parse(const struct module_manifest *d, const char *name, struct json v, struct manifest_instance *i)
{
	const struct manifest_module *m;

	*i = (struct manifest_instance){ .name = xstrdup(name), .module_id = text_copy(v, "moduleId"),
		.entry_point = text_copy(v, "entryPoint"), .version = version_copy(v), .publish = member_get(v, "publish"),
		.subscribe = member_get(v, "subscribe"), .streams = member_get(v, "streams") };
	i->problem = instance_problem(d, i, v);
	text_default(&i->module_id);
	text_default(&i->entry_point);
	text_default(&i->version);
	m = module_manifest_module(d, i->module_id);
	i->is_backdoor = !i->problem && (m->is_backdoor || strncmp(i->name, backdoor, sizeof backdoor - 1) == 0 ||
	    strncmp(i->entry_point, backdoor, sizeof backdoor - 1) == 0);
}

static int
object_required(const char *name, struct json v, const char *key, struct json *out, struct fail *f)
{
	*out = json_get(v, key);
	if (!json_is_object(*out))
		return fail_set(f, EXIT_USAGE, "%s: %s is %s, not an object", name, key,
		    json_kind(*out) == JSON_NONE ? "missing" : json_kind_name(*out));
	return json_count(*out) <= MODULE_MANIFEST_MAX ? 0 :
	    fail_set(f, EXIT_USAGE, "%s: %s has more than %d members", name, key, MODULE_MANIFEST_MAX);
}

static int
lists_parse(const char *name, struct json v, struct module_manifest *d, struct fail *f)
{
	_cleanup_json_ struct json modules = JSON_ABSENT, instances = JSON_ABSENT;

	if (object_required(name, v, "instanceSpecs", &instances, f) < 0 ||
	    object_required(name, v, "modules", &modules, f) < 0)
		return -EINVAL;
	d->modules = xcalloc(json_count(modules) + 1, sizeof *d->modules);
	for (struct json_iter it = json_begin(modules); json_next(&it); )
		module_parse(it.key, it.value, &d->modules[d->n_modules++]);
	d->instances = xcalloc(json_count(instances) + 1, sizeof *d->instances);
	for (struct json_iter it = json_begin(instances); json_next(&it); )
		instance_parse(d, it.key, it.value, &d->instances[d->n_instances++]);
	return 0;
}

int
module_manifest_parse(const char *name, struct json v, struct module_manifest **out, struct fail *f)
{
	struct module_manifest *d = xcalloc(1, sizeof *d);
	const char *id = json_get_text(v, "deploymentId");
	int r;

	*d = (struct module_manifest){ .publish_topics = member_get(v, "publishTopics"),
		.subscribe_topics = member_get(v, "subscribeTopics") };
	if (!id || !*id || strlen(id) > GOAL_ID_MAX)
		r = fail_set(f, EXIT_USAGE, "%s: deploymentId is not a text of 1 to %d bytes", name, GOAL_ID_MAX);
	else
		r = lists_parse(name, v, d, f);
	if (r < 0) {
		module_manifest_free(d);
		return r;
	}
	d->id = xstrdup(id);
	*out = d;
	return 0;
}

void
module_manifest_free(struct module_manifest *d)
{
	if (!d)
		return;
	for (size_t k = 0; k < d->n_modules; k++) {
		struct manifest_module *m = &d->modules[k];

		free(m->id);
		free(m->entry_point);
		free(m->impl);
		free(m->url);
		free(m->hash);
		free(m->problem);
	}
	for (size_t k = 0; k < d->n_instances; k++) {
		struct manifest_instance *i = &d->instances[k];

		free(i->name);
		free(i->module_id);
		free(i->entry_point);
		free(i->version);
		free(i->problem);
		json_release(&i->publish);
		json_release(&i->subscribe);
		json_release(&i->streams);
	}
	free(d->modules);
	free(d->instances);
	free(d->id);
	json_release(&d->publish_topics);
	json_release(&d->subscribe_topics);
	free(d);
}

const struct manifest_module *
module_manifest_module(const struct module_manifest *d, const char *id)
{
	for (size_t k = 0; k < d->n_modules; k++)
		if (strcmp(d->modules[k].id, id) == 0)
			return &d->modules[k];
	return NULL;
}

const struct manifest_instance *
module_manifest_instance(const struct module_manifest *d, const char *name)
{
	for (size_t k = 0; k < d->n_instances; k++)
		if (strcmp(d->instances[k].name, name) == 0)
			return &d->instances[k];
	return NULL;
}

/* The local topic of TOPIC in TOPICS, to be freed; NULL where it is of another type. */
static char *
local_topic(struct json topics, const char *topic)
{
	_cleanup_json_ struct json entry = json_get(topics, topic);
	const char *type = json_get_text(entry, "type"), *local = json_get_text(entry, "topic");

	return type && local && strcmp(type, "local") == 0 ? xstrdup(local) : NULL;
}

/* The aliases of I that subscribe to LOCAL, added to ROUTES. */
static void
routes_add(const struct module_manifest *d, const struct manifest_instance *i, const char *local, struct json *routes)
{
	for (struct json_iter it = json_begin(i->subscribe); json_next(&it); ) {
		_cleanup_free_ char *topic = local_topic(d->subscribe_topics, json_get_string(it.value));
		struct json route;

		if (!topic || strcmp(topic, local) != 0)
			continue;
		route = json_object();
		json_set_text(&route, "instance", i->name);
		json_set_text(&route, "topic", it.key);
		json_append(routes, route);
	}
}

struct json
module_manifest_routes(const struct module_manifest *d, const struct manifest_instance *i)
{
	struct json all = json_object();

	for (struct json_iter it = json_begin(i->publish); json_next(&it); ) {
		_cleanup_free_ char *local = local_topic(d->publish_topics, json_get_string(it.value));
		struct json routes = json_array();

		for (size_t k = 0; local && k < d->n_instances; k++)
			if (!d->instances[k].problem && !d->instances[k].is_backdoor)
				routes_add(d, &d->instances[k], local, &routes);
		json_set(&all, it.key, routes);
	}
	return all;
}
