#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/sha.h"
#include "base/xalloc.h"
#include "deploy/apt.h"
#include "deploy/import.h"
#include "deploy/manifest.h"

/* What is being parsed, for messages and for what the parts need of each other. */
struct parser {
	const char *name;
	struct json urls;
	struct manifest *m;
	struct fail *f;
};

PRINTF(2, 3) static int
manifest_refuse(struct parser *p, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return fail_set(p->f, EXIT_USAGE, "%s: %s", p->name, text);
}

/* The strongest hash that the file has; an algorithm that is not known makes the file invalid. */
static int
parse_hashes(struct parser *p, struct json file, struct payload *out)
{
	_cleanup_json_ struct json hashes = json_get(file, "hashes");
	struct json_iter it = json_begin(hashes);
	char hex[SHA_HEX];

	while (json_next(&it)) {
		const char *hash = json_get_string(it.value);

		if ((strcasecmp(it.key, "sha256") && strcasecmp(it.key, "sha384") &&
		    strcasecmp(it.key, "sha512")) || !hash || sha_hex(hash, hex) < 0) {
			int r = manifest_refuse(p, "files.%s: hash '%s' is not one that can be checked",
			    out->id, it.key);

			json_end(&it);
			return r;
		}
		if (out->algorithm && strcasecmp(it.key, out->algorithm) < 0)
			continue;
		free(out->algorithm);
		free(out->hash);
		out->algorithm = xstrdup(it.key);
		out->hash = xstrdup(hash);
	}
	return out->hash ? 0 : manifest_refuse(p, "files.%s: has no hash", out->id);
}

/* One URL, or an array of URLs that all have the content. */
static void
parse_urls(const struct parser *p, const char *id, struct payload *out)
{
	_cleanup_json_ struct json urls = json_get(p->urls, id);
	const char *url = json_get_text(p->urls, id);
	size_t n = 0;

	out->more = xcalloc(json_count(urls) + 1, sizeof *out->more);
	for (size_t i = 0; i < json_count(urls); i++) {
		_cleanup_json_ struct json one = json_at(urls, i);

		if (!json_get_string(one))
			continue;
		if (!out->url)
			out->url = xstrdup(json_get_string(one));
		else
			out->more[n++] = xstrdup(json_get_string(one));
	}
	if (url)
		out->url = xstrdup(url);
}

static int
parse_file(struct parser *p, const char *id, struct json file, struct payload *out)
{
	_cleanup_json_ struct json size = json_get(file, "sizeInBytes");
	const char *name = json_get_text(file, "fileName");

	out->id = xstrdup(id);
	out->size_bytes = -1;
	if (json_kind(size) != JSON_NONE && (!json_get_whole(size, &out->size_bytes) || out->size_bytes < 0))
		return manifest_refuse(p, "files.%s: sizeInBytes is not a number of bytes", id);
	if (!name || !payload_is_name(name))
		return manifest_refuse(p, "files.%s: fileName is not the name of a file", id);
	out->name = xstrdup(name);
	parse_urls(p, id, out);
	return parse_hashes(p, file, out);
}

static int
by_id(const void *a, const void *b)
{
	const struct payload *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static int
parse_files(struct parser *p, struct json files)
{
	struct manifest *m = p->m;
	struct json_iter it = json_begin(files);

	m->files = xcalloc(json_count(files), sizeof *m->files);
	while (json_next(&it)) {
		int r = parse_file(p, it.key, it.value, &m->files[m->n_files++]);

		if (r < 0) {
			json_end(&it);
			return r;
		}
	}
	qsort(m->files, m->n_files, sizeof *m->files, by_id);
	return 0;
}

const struct payload *
manifest_file(const struct manifest *m, const char *id)
{
	struct payload key = { .id = xstrdup(id) };
	const struct payload *p = m->n_files ?
	    bsearch(&key, m->files, m->n_files, sizeof *m->files, by_id) : NULL;

	free(key.id);
	return p;
}

static int
parse_step_files(struct parser *p, struct json step, size_t i, struct manifest_step *out)
{
	_cleanup_json_ struct json files = json_get(step, "files");

	out->files = xcalloc(json_count(files) + 1, sizeof *out->files);
	if (json_kind(files) != JSON_ARRAY)
		return json_kind(files) == JSON_NONE ? 0 : manifest_refuse(p, "steps[%zu].files is %s, not an array",
		    i, json_kind_name(files));
	for (size_t k = 0; k < json_count(files); k++) {
		_cleanup_json_ struct json id = json_at(files, k);

		out->files[k] = json_get_string(id) ? manifest_file(p->m, json_get_string(id)) : NULL;
		if (!out->files[k])
			return manifest_refuse(p, "steps[%zu].files[%zu] is no file of this manifest", i, k);
	}
	return 0;
}

static int
parse_inline(struct parser *p, struct json step, size_t i, struct manifest_step *out)
{
	const char *handler = json_get_text(step, "handler");

	if (!handler || !*handler || strlen(handler) > 255)
		return manifest_refuse(p, "steps[%zu] has no handler", i);
	out->handler = xstrdup(handler);
	out->properties = json_get(step, "handlerProperties");
	if (json_kind(out->properties) == JSON_NONE || json_kind(out->properties) == JSON_NULL)
		out->properties = json_object();
	if (!json_is_object(out->properties))
		return manifest_refuse(p, "steps[%zu].handlerProperties is %s, not an object", i,
		    json_kind_name(out->properties));
	return parse_step_files(p, step, i, out);
}

static int
parse_step(struct parser *p, struct json step, size_t i, struct manifest_step *out)
{
	const char *type = json_get_text(step, "type");
	const char *id;

	if (!json_is_object(step))
		return manifest_refuse(p, "steps[%zu] is %s, not an object", i, json_kind_name(step));
	if (!type || strcmp(type, "reference") != 0)
		return parse_inline(p, step, i, out);
	id = json_get_text(step, "detachedManifestFileId");
	if (!id || !manifest_file(p->m, id))
		return manifest_refuse(p, "steps[%zu].detachedManifestFileId is no file of this manifest", i);
	out->detached = xstrdup(id);
	return 0;
}

static int
parse_steps(struct parser *p, struct json steps)
{
	struct manifest *m = p->m;

	if (json_kind(steps) != JSON_ARRAY || json_count(steps) == 0)
		return manifest_refuse(p, "instructions.steps is no array of steps");
	if (json_count(steps) > MANIFEST_STEPS_MAX)
		return manifest_refuse(p, "%zu steps are too many, at most %d", json_count(steps), MANIFEST_STEPS_MAX);
	m->steps = xcalloc(json_count(steps), sizeof *m->steps);
	for (size_t i = 0; i < json_count(steps); i++) {
		_cleanup_json_ struct json step = json_at(steps, i);
		int r = parse_step(p, step, i, &m->steps[m->n_steps++]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int
parse_compatibility(struct parser *p)
{
	const struct json c = p->m->compatibility;

	if (json_kind(c) != JSON_ARRAY)
		return manifest_refuse(p, "compatibility is %s, not an array", json_kind_name(c));
	for (size_t i = 0; i < json_count(c); i++) {
		_cleanup_json_ struct json selector = json_at(c, i);

		if (!json_is_object(selector))
			return manifest_refuse(p, "compatibility[%zu] is %s, not an object", i,
			    json_kind_name(selector));
	}
	return 0;
}

static int
manifest_parse_json(struct parser *p, struct json v)
{
	_cleanup_json_ struct json instructions = json_get(v, "instructions");
	_cleanup_json_ struct json steps = json_get(instructions, "steps");
	_cleanup_json_ struct json files = json_get(v, "files");
	const char *version = json_get_text(v, "manifestVersion");
	const char *detached = json_get_text(v, "detachedManifestFileId");
	struct manifest *m = p->m;
	int r;

	if (!version || (strcmp(version, "4") != 0 && strcmp(version, "5") != 0))
		return manifest_refuse(p, "manifestVersion is neither \"4\" nor \"5\"");
	m->version = xstrdup(version);
	m->update_id = json_get(v, "updateId");
	if (!json_is_object(m->update_id))
		return manifest_refuse(p, "updateId is %s, not an object", json_kind_name(m->update_id));
	r = parse_files(p, files);
	if (r < 0)
		return r;
	if (detached) {
		m->detached = xstrdup(detached);
		return manifest_file(m, detached) ? 0 :
		    manifest_refuse(p, "detachedManifestFileId is no file of this manifest");
	}
	m->compatibility = json_get(v, "compatibility");
	r = parse_compatibility(p);
	return r < 0 ? r : parse_steps(p, steps);
}

static int
parse_text(const char *name, const char *text, size_t len, struct json urls, int depth,
    struct manifest **out, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	_cleanup_json_ struct json inner = JSON_ABSENT, converted = JSON_ABSENT;
	struct parser p = { name, urls, NULL, f };
	int r = json_parse(name, text, len, &v, f);

	if (r < 0)
		return r;
	if (!json_is_object(v))
		return fail_set(f, EXIT_USAGE, "%s: is %s, not an object", name, json_kind_name(v));
	inner = json_get(v, "updateManifest");
	if (json_get_string(inner) && depth == 0)
		return parse_text(name, json_get_string(inner), json_string_len(inner), urls, 1, out, f);
	if (import_is_manifest(v)) {
		r = import_manifest(name, v, &converted, f);
		if (r < 0)
			return r;
	}
	p.m = xcalloc(1, sizeof *p.m);
	r = manifest_parse_json(&p, json_is_object(converted) ? converted : v);
	if (r < 0)
		manifest_free(p.m);
	else
		*out = p.m;
	return r;
}

int
manifest_parse(const char *name, const char *text, size_t len, struct json urls,
    struct manifest **out, struct fail *f)
{
	return parse_text(name, text, len, urls, 0, out, f);
}

void
manifest_free(struct manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_steps; i++) {
		free(m->steps[i].detached);
		free(m->steps[i].handler);
		json_release(&m->steps[i].properties);
		free(m->steps[i].files);
	}
	for (size_t i = 0; i < m->n_files; i++)
		payload_release(&m->files[i]);
	json_release(&m->update_id);
	json_release(&m->compatibility);
	free(m->version);
	free(m->detached);
	free(m->steps);
	free(m->files);
	free(m);
}

const struct payload *
manifest_step_script(const struct manifest_step *step, const char **wanted)
{
	const char *name = json_get_text(step->properties, "scriptFileName");

	if (wanted)
		*wanted = NULL;
	if (apt_is_handler(step->handler))
		return step->files[0];
	for (const struct payload **p = step->files; name && *p; p++)
		if (strcmp((*p)->name, name) == 0)
			return *p;
	if (wanted)
		*wanted = name;
	return NULL;
}

char *
manifest_update_id(const struct manifest *m)
{
	struct buf b = BUF_INIT;

	json_format(m->update_id, &b);
	return buf_steal(&b);
}

int
manifest_load_whole(const struct payload *p, const char *cache, struct json urls,
    struct manifest **out, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r = payload_load(p, cache, MANIFEST_MAX, &text, f);

	return r < 0 ? r : manifest_parse(p->name, text.s, text.len, urls, out, f);
}

int
manifest_load(const struct payload *p, const char *cache, struct json urls,
    struct manifest **out, struct fail *f)
{
	int r = manifest_load_whole(p, cache, urls, out, f);

	if (r < 0)
		return r;
	if ((*out)->detached)
		r = fail_set(f, EXIT_USAGE, "%s: names another manifest", p->name);
	for (size_t i = 0; r == 0 && i < (*out)->n_steps; i++)
		if ((*out)->steps[i].detached)
			r = fail_set(f, EXIT_USAGE, "%s: steps[%zu] is a reference inside a reference",
			    p->name, i);
	if (r < 0) {
		manifest_free(*out);
		*out = NULL;
	}
	return r;
}
