#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/sha.h"
#include "base/xalloc.h"
#include "component/selector.h"
#include "deploy/draft.h"
#include "deploy/goal.h"
#include "deploy/handler.h"
#include "deploy/import.h"
#include "deploy/manifest.h"
#include "deploy/payload.h"
#include "deploy/swupdate.h"

struct draft_step {
	char *handler;
	struct json selector;		/* JSON_ABSENT for the host */
	struct json properties;		/* handlerProperties */
	struct json files;		/* the ids of its files, an array */
};

struct draft {
	char *id;
	struct json update_id;
	struct json files;		/* all files, as a manifest has them: {ID:{...}} */
	struct json urls;		/* fileUrls */
	struct draft_step *steps;
	size_t n, cap;
};

struct draft *
draft_new(void)
{
	struct draft *d = xcalloc(1, sizeof *d);

	d->files = json_object();
	d->urls = json_object();
	return d;
}

void
draft_free(struct draft *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		free(d->steps[i].handler);
		json_release(&d->steps[i].selector);
		json_release(&d->steps[i].properties);
		json_release(&d->steps[i].files);
	}
	free(d->steps);
	json_release(&d->update_id);
	json_release(&d->files);
	json_release(&d->urls);
	free(d->id);
	free(d);
}

int
draft_add_step(struct draft *d, const char *handler, const char *selector, struct fail *f)
{
	struct draft_step s = { .selector = JSON_ABSENT };
	int r = strcmp(selector, "host") == 0 ? 0 : selector_parse(selector, &s.selector, f);

	if (r < 0)
		return r;
	if (!*handler || strlen(handler) > 255)
		return fail_set(f, EXIT_USAGE, "handler '%s': is not 1 to 255 bytes long", handler);
	if (d->n == MANIFEST_STEPS_MAX)
		return fail_set(f, EXIT_USAGE, "more than %d steps", MANIFEST_STEPS_MAX);
	s.handler = xstrdup(handler);
	s.properties = json_object();
	s.files = json_array();
	d->steps = xgrow(d->steps, d->n, &d->cap, sizeof *d->steps);
	d->steps[d->n++] = s;
	return 0;
}

static struct draft_step *
last_step(struct draft *d, const char *what, struct fail *f)
{
	if (d->n > 0)
		return &d->steps[d->n - 1];
	fail_set(f, EXIT_USAGE, "%s: stands before the first step", what);
	return NULL;
}

/* The id of a file: of its name and hash, so that files of one name and other contents are two. */
static char *
file_id(const struct payload *p)
{
	char hex[SHA_HEX];

	sha_hex(p->hash, hex);
	return xasprintf("f%.16s-%s", hex, p->name);
}

/* Add the file at PATH to those of D; ID, to be freed, is what steps call it. */
static int
add_file(struct draft *d, const char *path, char **id, struct fail *f)
{
	struct payload p;
	struct json entity, hashes;
	int r = payload_describe(path, &p, f);

	if (r < 0)
		return r;
	entity = json_object();
	hashes = json_object();
	json_set_text(&hashes, p.algorithm, p.hash);
	json_set_text(&entity, "fileName", p.name);
	json_set(&entity, "sizeInBytes", json_number((double)p.size_bytes));
	json_set(&entity, "hashes", hashes);
	*id = file_id(&p);
	json_set(&d->files, *id, entity);
	json_set_text(&d->urls, *id, p.url);
	payload_release(&p);
	return 0;
}

int
draft_add_file(struct draft *d, const char *path, struct fail *f)
{
	struct draft_step *s = last_step(d, path, f);
	_cleanup_free_ char *id = NULL;
	int r = s ? add_file(d, path, &id, f) : -EINVAL;

	if (r == 0)
		json_append(&s->files, json_string(id));
	return r;
}

int
draft_set(struct draft *d, const char *key, const char *value, struct fail *f)
{
	struct draft_step *s = last_step(d, key, f);

	if (!s)
		return -EINVAL;
	json_set_text(&s->properties, key, value);
	return 0;
}

int
draft_set_pair(struct draft *d, const char *text, struct fail *f)
{
	const char *equals = strchr(text, '=');
	_cleanup_free_ char *key = equals ? xstrndup(text, (size_t)(equals - text)) : NULL;

	return key && *key ? draft_set(d, key, equals + 1, f) :
	    fail_set(f, EXIT_USAGE, "property '%s': is not KEY=VALUE", text);
}

/* The name that the file ID of D has. */
static char *
name_of(const struct draft *d, struct json ids, size_t i)
{
	_cleanup_json_ struct json id = json_at(ids, i);
	_cleanup_json_ struct json entity = json_get(d->files, json_get_string(id));

	return xstrdup(json_get_text(entity, "fileName"));
}

static bool
is_image(const char *name)
{
	const size_t len = strlen(name);

	return len > 4 && strcasecmp(name + len - 4, ".swu") == 0;
}

/* The name of the first file of S that is an image, or that is none; NULL where there is no such file. */
static char *
first_file(const struct draft *d, const struct draft_step *s, bool image)
{
	for (size_t i = 0; i < json_count(s->files); i++) {
		char *name = name_of(d, s->files, i);

		if (is_image(name) == image)
			return name;
		free(name);
	}
	return NULL;
}

/* The property KEY of S is the file NAME, unless it was given. */
static int
set_file(struct draft_step *s, const char *key, const char *name, const char *what, struct fail *f)
{
	if (json_get_text(s->properties, key))
		return 0;
	if (!name)
		return fail_set(f, EXIT_USAGE, "step by %s: has no %s among its files", s->handler, what);
	json_set_text(&s->properties, key, name);
	return 0;
}

/* A step must say which of its files is the script, and which the image: the first one, where nothing is said. */
static int
complete_step(const struct draft *d, struct draft_step *s, struct fail *f)
{
	const bool is_swupdate = swupdate_is_handler(s->handler);
	_cleanup_free_ char *script = NULL, *image = NULL;
	int r;

	if (!handler_runs_script(s->handler))
		return 0;
	script = is_swupdate || json_count(s->files) == 0 ? first_file(d, s, false) : name_of(d, s->files, 0);
	r = set_file(s, "scriptFileName", script, "script to run", f);
	if (r == 0 && is_swupdate) {
		image = first_file(d, s, true);
		r = set_file(s, "swuFileName", image, "image, a .swu file,", f);
	}
	return r;
}

static struct json
inline_step(const struct draft_step *s)
{
	struct json step = json_object();

	json_set_text(&step, "handler", s->handler);
	json_set(&step, "files", json_copy(s->files));
	json_set(&step, "handlerProperties", json_copy(s->properties));
	return step;
}

/* A manifest with STEPS, an array that is taken, of those of D's files that IDS names; all where IDS is absent. */
static struct json
manifest_make(const struct draft *d, struct json compatibility, struct json steps, struct json ids)
{
	struct json m = json_object(), instructions = json_object(), files = json_object();

	for (size_t i = 0; i < json_count(ids); i++) {
		_cleanup_json_ struct json id = json_at(ids, i);

		json_set(&files, json_get_string(id), json_get(d->files, json_get_string(id)));
	}
	json_set(&instructions, "steps", steps);
	json_set_text(&m, "manifestVersion", "5");
	json_set(&m, "updateId", json_copy(d->update_id));
	json_set(&m, "compatibility", compatibility);
	json_set(&m, "instructions", instructions);
	json_set(&m, "files", files);
	return m;
}

static int
write_json(const char *path, struct json v, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r;

	json_format(v, &text);
	buf_putc(&text, '\n');
	r = file_replace(path, text.s, text.len, 0644, FILE_DURABLE);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

/* Write the manifest of step I, and have STEP refer to it. */
static int
write_child(struct draft *d, size_t i, const char *dir, struct json *step, char **id, struct fail *f)
{
	const struct draft_step *s = &d->steps[i];
	_cleanup_free_ char *base = file_encode(d->id);
	_cleanup_free_ char *path = xasprintf("%s/%s.%zu.json", dir, base, i + 1);
	_cleanup_json_ struct json child = JSON_ABSENT;
	struct json compatibility = json_array(), steps = json_array();
	int r;

	json_append(&compatibility, json_copy(s->selector));
	json_append(&steps, inline_step(s));
	child = manifest_make(d, compatibility, steps, s->files);
	r = write_json(path, child, f);
	if (r == 0)
		r = add_file(d, path, id, f);
	if (r == 0) {
		json_set_text(step, "type", "reference");
		json_set_text(step, "detachedManifestFileId", *id);
	}
	return r;
}

/* The manifest of the goal, with the files that it names itself. */
static int
write_steps(struct draft *d, const char *dir, struct json *whole, struct fail *f)
{
	_cleanup_json_ struct json ids = json_array();
	struct json steps = json_array(), compatibility = json_array();
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->n; i++) {
		struct draft_step *s = &d->steps[i];
		struct json step = json_object();

		r = complete_step(d, s, f);
		if (r == 0 && json_kind(s->selector) == JSON_NONE) {
			json_release(&step);
			step = inline_step(s);
			for (size_t k = 0; k < json_count(s->files); k++)
				json_append(&ids, json_at(s->files, k));
		} else if (r == 0) {
			_cleanup_free_ char *id = NULL;

			r = write_child(d, i, dir, &step, &id, f);
			if (r == 0)
				json_append(&ids, json_string(id));
		}
		json_append(&steps, step);
	}
	json_append(&compatibility, json_object());
	*whole = manifest_make(d, compatibility, steps, ids);
	return r;
}

/* Call D by NAME. */
static void
set_name(struct draft *d, const struct draft_name *name)
{
	free(d->id);
	json_release(&d->update_id);
	d->id = name->id ? xstrdup(name->id) : xasprintf("%s-%s", name->name, name->version);
	d->update_id = json_object();
	json_set_text(&d->update_id, "provider", name->provider);
	json_set_text(&d->update_id, "name", name->name);
	json_set_text(&d->update_id, "version", name->version);
}

int
draft_write(struct draft *d, const struct draft_name *name, const char *dir, char **goal, struct fail *f)
{
	_cleanup_json_ struct json whole = JSON_ABSENT;
	_cleanup_json_ struct json g = json_object();
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct json workflow;
	int r;

	if (d->n == 0) {
		fail_set(f, EXIT_USAGE, "a goal has at least one step");
		fail_hint(f, "--step HANDLER SELECTOR FILE...: rejoin-goal(1) has examples");
		return -EBADMSG;
	}
	set_name(d, name);
	if (!*d->id || strlen(d->id) > GOAL_ID_MAX)
		return fail_set(f, EXIT_USAGE, "id '%s': is not 1 to %d bytes long", d->id, GOAL_ID_MAX);
	r = write_steps(d, dir, &whole, f);
	if (r < 0)
		return r;
	workflow = json_object();
	json_set(&workflow, "action", json_number(GOAL_PROCESS));
	json_set_text(&workflow, "id", d->id);
	json_set(&g, "workflow", workflow);
	json_format(whole, &text);
	json_set_text(&g, "updateManifest", text.s);
	json_set(&g, "fileUrls", json_copy(d->urls));
	*goal = xasprintf("%s/goal.json", dir);
	return write_json(*goal, g, f);
}

/* --- import manifests */

/* Azure wants two to four numbers with dots between. */
static bool
is_import_version(const char *s)
{
	size_t n = 1;

	for (; *s >= '0' && *s <= '9'; n++) {
		s += strspn(s, "0123456789");
		if (*s == '\0')
			return n >= 2 && n <= 4;
		if (*s++ != '.')
			return false;
	}
	return false;
}

/* The file ID of D; to be released. */
static struct payload
file_payload(const struct draft *d, const char *id)
{
	_cleanup_json_ struct json entity = json_get(d->files, id), hashes = json_get(entity, "hashes");
	_cleanup_json_ struct json size = json_get(entity, "sizeInBytes");
	struct payload p = { .id = xstrdup(id), .name = xstrdup(json_get_text(entity, "fileName")),
	    .algorithm = xstrdup("sha256"), .hash = xstrdup(json_get_text(hashes, "sha256")),
	    .url = xstrdup(json_get_text(d->urls, id)) };

	if (!json_get_whole(size, &p.size_bytes))
		p.size_bytes = -1;
	return p;
}

static struct json
import_file(const struct payload *p)
{
	struct json file = json_object(), hashes = json_object();

	json_set_text(&hashes, p->algorithm, p->hash);
	json_set_text(&file, "filename", p->name);
	json_set(&file, "sizeInBytes", json_number((double)p->size_bytes));
	json_set(&file, "hashes", hashes);
	return file;
}

/* The files of the ids IDS into DIR; FILES is what an import manifest says of them, NAMES are their names. */
static int
lay_files(const struct draft *d, struct json ids, const char *dir, struct json *files, struct json *names,
    struct fail *f)
{
	int r = 0;

	*names = json_array();
	for (size_t i = 0; r == 0 && i < json_count(ids); i++) {
		_cleanup_json_ struct json id = json_at(ids, i);
		struct payload p = file_payload(d, json_get_string(id));

		r = payload_lay(&p, dir, f);
		json_append(files, import_file(&p));
		json_append(names, json_string(p.name));
		payload_release(&p);
	}
	return r;
}

/* The import manifest of the update ID with STEPS and FILES, which are taken, to its file in DIR.  PATH may be NULL. */
static int
write_import(struct json id, struct json compatibility, bool is_deployable, struct json steps, struct json files,
    const char *dir, char **path, struct fail *f)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_free_ char *name = import_child_name(id), *to = NULL;
	struct json instructions = json_object();
	char now[CLOCK_TEXT];
	int r;

	json_set(&instructions, "steps", steps);
	json_set_text(&v, "manifestVersion", "5.0");
	json_set(&v, "updateId", json_copy(id));
	json_set(&v, "isDeployable", json_bool(is_deployable));
	json_set(&v, "compatibility", compatibility);
	json_set(&v, "instructions", instructions);
	json_set(&v, "files", files);
	json_set_text(&v, "createdDateTime", clock_now(now));
	if (!name)
		return fail_set(f, EXIT_USAGE, "the update's provider, name and version make no file name");
	to = xasprintf("%s/%s", dir, name);
	r = write_json(to, v, f);
	if (r == 0 && path)
		*path = TAKE_PTR(to);
	return r;
}

static struct json
import_step(const struct draft_step *s, struct json names)
{
	struct json step = json_object();

	json_set_text(&step, "type", "inline");
	json_set_text(&step, "handler", s->handler);
	json_set(&step, "files", names);
	json_set(&step, "handlerProperties", json_copy(s->properties));
	return step;
}

/* The import manifest of step I, which has a selector; its updateId into ID. */
static int
write_import_child(struct draft *d, size_t i, const char *dir, struct json *id, struct fail *f)
{
	const struct draft_step *s = &d->steps[i];
	_cleanup_free_ char *name = xasprintf("%s.%zu", json_get_text(d->update_id, "name"), i + 1);
	struct json files = json_array(), names = JSON_ABSENT, steps, compatibility;
	int r = lay_files(d, s->files, dir, &files, &names, f);

	if (r < 0) {
		json_release(&files);
		json_release(&names);
		return r;
	}
	*id = json_copy(d->update_id);
	json_set_text(id, "name", name);
	steps = json_array();
	json_append(&steps, import_step(s, names));
	compatibility = json_array();
	json_append(&compatibility, json_copy(s->selector));
	return write_import(*id, compatibility, false, steps, files, dir, NULL, f);
}

static int
write_import_step(struct draft *d, size_t i, const char *dir, struct json *steps, struct json *files, struct fail *f)
{
	struct draft_step *s = &d->steps[i];
	struct json step = json_object(), names = JSON_ABSENT, id = JSON_ABSENT;
	int r = complete_step(d, s, f);

	if (r == 0 && json_kind(s->selector) == JSON_NONE) {
		r = lay_files(d, s->files, dir, files, &names, f);
		json_release(&step);
		step = import_step(s, names);
	} else if (r == 0) {
		r = write_import_child(d, i, dir, &id, f);
		json_set_text(&step, "type", "reference");
		json_set(&step, "updateId", id);
	}
	json_append(steps, step);
	return r;
}

int
draft_write_import(struct draft *d, const struct draft_name *name, const char *compatibility, const char *dir,
    char **path, struct fail *f)
{
	_cleanup_json_ struct json selector = JSON_ABSENT;
	struct json steps, files, list;
	int r = selector_parse(compatibility, &selector, f);

	if (r < 0)
		return r;
	if (d->n == 0)
		return fail_set(f, EXIT_USAGE, "an update has at least one step");
	if (!is_import_version(name->version))
		return fail_set(f, EXIT_USAGE, "version '%s': is not two to four numbers with dots between", name->version);
	set_name(d, name);
	steps = json_array();
	files = json_array();
	for (size_t i = 0; r == 0 && i < d->n; i++)
		r = write_import_step(d, i, dir, &steps, &files, f);
	if (r < 0) {
		json_release(&steps);
		json_release(&files);
		return r;
	}
	list = json_array();
	json_append(&list, json_copy(selector));
	return write_import(d->update_id, list, true, steps, files, dir, path, f);
}
