#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha.h"
#include "base/xalloc.h"
#include "deploy/import.h"
#include "deploy/manifest.h"
#include "deploy/payload.h"

PRINTF(3, 4) static int
import_refuse(struct fail *f, const char *name, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return fail_set(f, EXIT_USAGE, "%s: %s", name, text);
}

bool
import_is_manifest(struct json v)
{
	_cleanup_json_ struct json files = json_get(v, "files"), id = json_get(v, "updateId");
	_cleanup_json_ struct json workflow = json_get(v, "workflow"), inner = json_get(v, "updateManifest");

	return json_is_object(id) && json_kind(files) == JSON_ARRAY && json_kind(workflow) == JSON_NONE &&
	    json_kind(inner) == JSON_NONE;
}

int
import_check_deployable(const char *name, struct json v, struct fail *f)
{
	_cleanup_json_ struct json may = json_get(v, "isDeployable");

	return json_kind(may) != JSON_FALSE ? 0 : import_refuse(f, name,
	    "isDeployable is false: only a reference step of another import manifest can name it");
}

char *
import_child_name(struct json id)
{
	const char *provider = json_get_text(id, "provider"), *name = json_get_text(id, "name");
	const char *version = json_get_text(id, "version");
	char *file;

	if (!provider || !name || !version)
		return NULL;
	file = xasprintf("%s.%s.%s.importmanifest.json", provider, name, version);
	if (payload_is_name(file))
		return file;
	free(file);
	return NULL;
}

/* "4.0", "5.0", and what begins so: "4" or "5"; NULL for another. */
static const char *
manifest_version(struct json v)
{
	const char *version = json_get_text(v, "manifestVersion");

	if (!version || !*version || (version[1] != '\0' && version[1] != '.'))
		return NULL;
	return *version == '4' ? "4" : *version == '5' ? "5" : NULL;
}

/* The member KEY of FROM into OUT, as AS, where it is there. */
static void
copy_member(struct json from, const char *key, struct json *out, const char *as)
{
	struct json v = json_get(from, key);

	if (json_kind(v) != JSON_NONE)
		json_set(out, as, v);
}

static int
convert_files(const char *name, struct json list, struct json *out, struct fail *f)
{
	*out = json_object();
	for (size_t i = 0; i < json_count(list); i++) {
		_cleanup_json_ struct json file = json_at(list, i), twin = JSON_ABSENT;
		const char *id = json_get_text(file, "filename");
		struct json entity;

		if (!id || !payload_is_name(id))
			return import_refuse(f, name, "files[%zu].filename is not the name of a file", i);
		twin = json_get(*out, id);
		if (json_kind(twin) != JSON_NONE)
			return import_refuse(f, name, "files[%zu]: '%s' is there twice", i, id);
		entity = json_object();
		json_set_text(&entity, "fileName", id);
		copy_member(file, "sizeInBytes", &entity, "sizeInBytes");
		copy_member(file, "hashes", &entity, "hashes");
		json_set(out, id, entity);
	}
	return 0;
}

static int
convert_step(const char *name, struct json step, size_t i, struct json *out, struct fail *f)
{
	const char *type = json_get_text(step, "type");
	_cleanup_json_ struct json id = json_get(step, "updateId");
	_cleanup_free_ char *file = NULL;

	if (!json_is_object(step))
		return import_refuse(f, name, "steps[%zu] is %s, not an object", i, json_kind_name(step));
	*out = json_object();
	if (!type || strcmp(type, "reference") != 0) {
		copy_member(step, "handler", out, "handler");
		copy_member(step, "files", out, "files");
		copy_member(step, "handlerProperties", out, "handlerProperties");
		return 0;
	}
	file = import_child_name(id);
	if (!file)
		return import_refuse(f, name, "steps[%zu].updateId is not {\"provider\",\"name\",\"version\"}", i);
	json_set_text(out, "type", "reference");
	json_set_text(out, "detachedManifestFileId", file);
	return 0;
}

static int
convert_steps(const char *name, struct json v, struct json *out, struct fail *f)
{
	_cleanup_json_ struct json instructions = json_get(v, "instructions");
	_cleanup_json_ struct json steps = json_get(instructions, "steps");
	struct json list = json_array();
	int r = 0;

	/* before what they refer to is fetched, a file for each */
	if (json_count(steps) > MANIFEST_STEPS_MAX)
		r = import_refuse(f, name, "%zu steps are too many, at most %d", json_count(steps), MANIFEST_STEPS_MAX);
	for (size_t i = 0; r == 0 && i < json_count(steps); i++) {
		_cleanup_json_ struct json step = json_at(steps, i);
		struct json converted = JSON_ABSENT;

		r = convert_step(name, step, i, &converted, f);
		json_append(&list, converted);
	}
	*out = json_object();
	json_set(out, "steps", list);
	return r;
}

int
import_manifest(const char *name, struct json v, struct json *out, struct fail *f)
{
	_cleanup_json_ struct json list = json_get(v, "files");
	struct json files = JSON_ABSENT, instructions = JSON_ABSENT;
	const char *version = manifest_version(v), *given = json_get_text(v, "manifestVersion");
	int r;

	*out = json_object();
	if (!version)
		return import_refuse(f, name, "is an import manifest of version '%s': only 4 and 5 are known",
		    given ? given : "");
	r = convert_files(name, list, &files, f);
	if (r == 0)
		r = convert_steps(name, v, &instructions, f);
	json_set_text(out, "manifestVersion", version);
	copy_member(v, "updateId", out, "updateId");
	copy_member(v, "compatibility", out, "compatibility");
	json_set(out, "instructions", instructions);
	json_set(out, "files", files);
	return r;
}

/* --- a goal */

struct importer {
	const struct import_place *place;
	struct json urls;		/* fileUrls */
	struct json *manifest;		/* whose files the children are added to */
	struct fail *f;
};

/* What is not unreserved in a URL (RFC 3986) is escaped. */
char *
import_url(const struct import_place *place, const char *name)
{
	struct buf url = BUF_INIT;

	buf_puts(&url, place->before);
	for (const char *s = name; *s; s++)
		if (isalnum((unsigned char)*s) || strchr("-._~", *s))
			buf_putc(&url, *s);
		else
			buf_printf(&url, "%%%02X", (unsigned char)*s);
	buf_puts(&url, place->after);
	return buf_steal(&url);
}

static void
url_add(struct importer *m, const char *name)
{
	_cleanup_free_ char *url = import_url(m->place, name);

	json_set_text(&m->urls, name, url);
}

/* URLs for the files of V, an import manifest. */
static void
urls_add(struct importer *m, struct json v)
{
	_cleanup_json_ struct json files = json_get(v, "files");

	for (size_t i = 0; i < json_count(files); i++) {
		_cleanup_json_ struct json file = json_at(files, i);
		const char *name = json_get_text(file, "filename");

		if (name)
			url_add(m, name);
	}
}

/* References go one level deep: MANIFEST, the converted file NAME, must have none. */
static int
child_check(const char *name, struct json manifest, struct fail *f)
{
	_cleanup_json_ struct json instructions = json_get(manifest, "instructions");
	_cleanup_json_ struct json steps = json_get(instructions, "steps");

	for (size_t i = 0; i < json_count(steps); i++) {
		_cleanup_json_ struct json step = json_at(steps, i);

		if (json_get_text(step, "detachedManifestFileId"))
			return import_refuse(f, name, "steps[%zu] is a reference inside a reference", i);
	}
	return 0;
}

/* The import manifest in the file NAME becomes a file of the goal, by its hash. */
static int
child_add(struct importer *m, const char *name)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	_cleanup_json_ struct json v = JSON_ABSENT, converted = JSON_ABSENT;
	struct json files, entity, hashes;
	struct sha *sha;
	char hash[SHA_TEXT];
	int r = m->place->load(name, &text, m->f, m->place->cookie);

	if (r == 0)
		r = json_parse(name, text.s, text.len, &v, m->f);
	if (r == 0 && !import_is_manifest(v))
		r = import_refuse(m->f, name, "is not an import manifest");
	if (r == 0)
		r = import_manifest(name, v, &converted, m->f);
	if (r == 0)
		r = child_check(name, converted, m->f);
	if (r < 0)
		return r;
	urls_add(m, v);
	url_add(m, name);
	sha = sha_new("sha256");
	sha_add(sha, text.s, text.len);
	sha_end(sha, hash);
	hashes = json_object();
	json_set_text(&hashes, "sha256", hash);
	entity = json_object();
	json_set_text(&entity, "fileName", name);
	json_set(&entity, "sizeInBytes", json_number((double)text.len));
	json_set(&entity, "hashes", hashes);
	files = json_get(*m->manifest, "files");
	json_set(&files, name, entity);
	json_set(m->manifest, "files", files);
	return 0;
}

static int
children_add(struct importer *m)
{
	_cleanup_json_ struct json instructions = json_get(*m->manifest, "instructions");
	_cleanup_json_ struct json steps = json_get(instructions, "steps");
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_count(steps); i++) {
		_cleanup_json_ struct json step = json_at(steps, i), known = JSON_ABSENT;
		const char *name = json_get_text(step, "detachedManifestFileId");

		known = json_get(m->urls, name ? name : "");
		if (name && json_kind(known) == JSON_NONE)
			r = child_add(m, name);
	}
	return r;
}

/* PROVIDER.NAME.VERSION-HASH, the hash that of TEXT. */
static char *
workflow_id(struct json v, const struct buf *text)
{
	_cleanup_json_ struct json id = json_get(v, "updateId");
	_cleanup_free_ char *file = import_child_name(id);
	struct sha *sha = sha_new("sha256");
	char hash[SHA_TEXT], hex[SHA_HEX];

	sha_add(sha, text->s, text->len);
	sha_end(sha, hash);
	sha_hex(hash, hex);
	return file ? xasprintf("%.*s-%.8s", (int)(strlen(file) - strlen(".importmanifest.json")), file, hex) : NULL;
}

int
import_goal(const char *name, struct json v, const struct import_place *place, struct buf *goal, struct fail *f)
{
	_cleanup_json_ struct json manifest = JSON_ABSENT, g = json_object();
	struct importer m = { .place = place, .urls = json_object(), .manifest = &manifest, .f = f };
	_cleanup_buf_ struct buf text = BUF_INIT;
	_cleanup_free_ char *id = NULL;
	struct json workflow;
	int r = import_manifest(name, v, &manifest, f);

	if (r == 0) {
		urls_add(&m, v);
		r = children_add(&m);
	}
	json_format(manifest, &text);
	id = workflow_id(v, &text);
	if (r == 0 && !id)
		r = import_refuse(f, name, "updateId is not {\"provider\",\"name\",\"version\"}");
	if (r < 0) {
		json_release(&m.urls);
		return r;
	}
	workflow = json_object();
	json_set(&workflow, "action", json_number(3));
	json_set_text(&workflow, "id", id);
	json_set(&g, "workflow", workflow);
	json_set_text(&g, "updateManifest", text.s);
	json_set(&g, "fileUrls", m.urls);
	buf_reset(goal);
	json_format(g, goal);
	buf_putc(goal, '\n');
	return 0;
}
