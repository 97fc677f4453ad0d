#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dirs.h"
#include "base/file.h"
#include "base/sha.h"
#include "base/suggest.h"
#include "base/trust.h"
#include "base/xalloc.h"
#include "component/selector.h"
#include "deploy/acceptance.h"
#include "deploy/apt.h"
#include "deploy/handler.h"
#include "deploy/payload.h"
#include "deploy/review.h"
#include "deploy/swupdate.h"

enum { SCRIPT_MAX = 4 << 20, VERSIONED_MAX = 1 << 20 };

struct review {
	const struct review_spec *spec;
	enum review_level worst;
};

const char *
review_level_name(enum review_level l)
{
	static const char *const names[] = { "ok", "warn", "fail" };

	return names[l];
}

PRINTF(4, 5) static void
finding_add(struct review *r, enum review_level level, const char *object, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (level > r->worst)
		r->worst = level;
	r->spec->finding(level, object, text, r->spec->cookie);
}

static void
review_signature(struct review *r)
{
	const struct review_spec *spec = r->spec;
	struct signer s;
	struct fail f;

	if (acceptance_check(spec->goal, spec->keys, spec->allow_unsigned, &s, &f) < 0)
		finding_add(r, REVIEW_FAIL, "signature", "%s", f.text);
	else if (!*s.root)
		finding_add(r, REVIEW_WARN, "signature", "not verified: accepted only because allow-unsigned is set");
	else
		finding_add(r, REVIEW_OK, "signature", "by '%s', for which root key '%s' vouches", s.key, s.root);
}

/* The local file that P is, to be freed; NULL where there is none. */
static char *
payload_local(const struct payload *p)
{
	return p->url ? payload_url_path(p->url) : NULL;
}

static void
review_file(struct review *r, const struct payload *p)
{
	_cleanup_free_ char *path = payload_local(p);

	if (!p->url)
		finding_add(r, REVIEW_FAIL, p->name, "fileUrls has no URL for its id '%s'", p->id);
	else if (!path)
		finding_add(r, REVIEW_WARN, p->name, "not checked: %s is not a local file", p->url);
	else if (payload_is_at(p, path))
		finding_add(r, REVIEW_OK, p->name, "%s has the hash of the manifest", path);
	else
		finding_add(r, REVIEW_FAIL, p->name, "%s is missing, or its size or hash is not that of the manifest", path);
}

static void
review_files(struct review *r, const struct manifest *m)
{
	for (size_t i = 0; i < m->n_files; i++)
		review_file(r, &m->files[i]);
}

/* The file of STEP that is called NAME. */
static const struct payload *
step_file(const struct manifest_step *step, const char *name)
{
	for (size_t i = 0; step->files[i]; i++)
		if (strcmp(step->files[i]->name, name) == 0)
			return step->files[i];
	return NULL;
}

/* True if the local file of P contains NEEDLE, or if that is unknown. */
static bool
payload_mentions(const struct payload *p, const char *needle)
{
	_cleanup_free_ char *path = payload_local(p);
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct fail f;

	return !path || file_load(path, 0, SCRIPT_MAX, &text, &f) < 0 ||
	    memmem(text.s, text.len, needle, strlen(needle));
}

/* microsoft/swupdate:2 needs an image beside its script, and reads its configuration here. */
static void
review_swupdate(struct review *r, const char *object, const struct manifest_step *step)
{
	const char *image = json_get_text(step->properties, "swuFileName");
	_cleanup_json_ struct json config = JSON_ABSENT;
	struct fail f;

	if (!image || !*image)
		finding_add(r, REVIEW_FAIL, object, "handlerProperties has no swuFileName");
	else if (!step_file(step, image))
		finding_add(r, REVIEW_FAIL, object, "its image '%s' is not one of its files", image);
	if (swupdate_load_config(&config, &f) < 0)
		finding_add(r, REVIEW_FAIL, object, "%s", f.text);
}

static void
review_script(struct review *r, const char *object, const struct manifest_step *step)
{
	const char *name = json_get_text(step->properties, "scriptFileName");
	const struct payload *script = name ? step_file(step, name) : NULL;

	if (!name || !*name)
		finding_add(r, REVIEW_FAIL, object, "handlerProperties has no scriptFileName");
	else if (!script)
		finding_add(r, REVIEW_FAIL, object, "its script '%s' is not one of its files", name);
	else if (!payload_mentions(script, "result-file"))
		finding_add(r, REVIEW_FAIL, object, "its script '%s' has no --result-file in it: a script that leaves"
		    " no result file has failed", name);
}

/* The value that follows OPTION among the blank-separated words of ARGUMENTS, to be freed; NULL for none. */
static char *
argument_value(const char *arguments, const char *option)
{
	_cleanup_free_ char *words = xstrdup(arguments);
	char *rest = words, *word;

	while ((word = strsep(&rest, " ")))
		if (strcmp(word, option) == 0 && rest)
			return xstrndup(rest, strcspn(rest, " "));
	return NULL;
}

/* The "version" of the local JSON file that P is, to be freed; NULL where it has none. */
static char *
payload_version(const struct payload *p)
{
	_cleanup_free_ char *path = payload_local(p);
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail f;

	if (!path || json_load(path, 0, VERSIONED_MAX, &v, &f) < 0 || !json_is_object(v) ||
	    !json_get_text(v, "version"))
		return NULL;
	return xstrdup(json_get_text(v, "version"));
}

/* rejoin/copy:1 reads the version from the file that it copied, so the payload must meet the criteria. */
static void
review_copy(struct review *r, const char *object, const struct manifest_step *step, const char *criteria)
{
	const char *arguments = json_get_text(step->properties, "arguments");
	_cleanup_free_ char *name = arguments ? argument_value(arguments, "--file") : NULL;
	const struct payload *p = name ? step_file(step, name) : NULL;
	_cleanup_free_ char *version = NULL;
	char hex[SHA_HEX];

	if (!p) {
		finding_add(r, REVIEW_FAIL, object, "its arguments name no file of the step (--file NAME)");
		return;
	}
	if (!criteria)
		return;
	if (strncmp(criteria, "sha256:", 7) == 0) {
		if (strcasecmp(p->algorithm, "sha256") == 0 && sha_hex(p->hash, hex) == 0 &&
		    strcasecmp(hex, criteria + 7) != 0)
			finding_add(r, REVIEW_FAIL, object, "its criteria can never be met: '%s' has the hash sha256:%s",
			    p->name, hex);
		return;
	}
	version = payload_version(p);
	if (version && strcmp(version, criteria) != 0)
		finding_add(r, REVIEW_FAIL, object, "its criteria '%s' can never be met: the version in '%s' is '%s'",
		    criteria, p->name, version);
	else if (!version && payload_local(p))
		finding_add(r, REVIEW_FAIL, object, "its criteria '%s' can never be met: '%s' is not JSON with a version",
		    criteria, p->name);
}

static void
review_apt(struct review *r, const char *object, const struct manifest_step *step)
{
	const struct payload *p = step->files[0];
	_cleanup_free_ char *path = p && !step->files[1] ? payload_local(p) : NULL;
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct apt_update u = { 0 };
	struct fail f;

	if (!p || step->files[1])
		finding_add(r, REVIEW_FAIL, object, "has not one file, its APT manifest");
	else if (path && file_load(path, 0, VERSIONED_MAX, &text, &f) == 0 &&
	    apt_update_parse(p->name, text.s, text.len, &u, &f) < 0)
		finding_add(r, REVIEW_FAIL, object, "%s", f.text);
	apt_update_release(&u);
}

/* HANDLER has no program here: of a slip of the finger the right one is named. */
static void
review_unknown(struct review *r, const char *object, const char *handler)
{
	_cleanup_buf_ struct buf hint = BUF_INIT;
	struct suggest s;

	suggest_begin(&s, handler);
	suggest_offer_list(&s, "rejoin/copy:1 microsoft/script:1 microsoft/swupdate:2 microsoft/apt:1");
	suggest_hint(&s, "handlers", &hint);
	suggest_release(&s);
	finding_add(r, REVIEW_FAIL, object, "handler '%s' is not in handlers.d: %s", handler, hint.s);
}

static void
review_handler(struct review *r, const char *object, const struct manifest_step *step)
{
	const char *criteria = json_get_text(step->properties, "installedCriteria");

	if (!criteria && !apt_is_handler(step->handler))
		finding_add(r, REVIEW_WARN, object, "has no installedCriteria: its handler must know by itself when it is"
		    " installed");
	if (swupdate_is_handler(step->handler))
		review_swupdate(r, object, step);
	if (handler_runs_script(step->handler)) {
		review_script(r, object, step);
		return;
	}
	_cleanup_free_ char *program = handler_find(step->handler);
	struct fail f;

	if (!program)
		review_unknown(r, object, step->handler);
	else if (trust_check(program, (gid_t)-1, &f) < 0)
		finding_add(r, REVIEW_FAIL, object, "handler '%s': %s", step->handler, f.text);
	if (strcmp(step->handler, "rejoin/copy:1") == 0)
		review_copy(r, object, step, criteria);
	if (apt_is_handler(step->handler))
		review_apt(r, object, step);
}

static void
review_selection(struct review *r, const char *object, const struct plan_stage *s)
{
	size_t here = json_count(s->selected), away = json_count(s->waiting), n = json_count(s->child->compatibility);

	if (n == 0)
		finding_add(r, REVIEW_FAIL, object, "its manifest has no compatibility, so it is for no component");
	else if (n > 1)
		finding_add(r, REVIEW_WARN, object, "its manifest has %zu compatibility entries; the Azure agent"
		    " considers the first alone", n);
	if (json_kind(r->spec->components) == JSON_NONE || n == 0)
		return;
	if (here + away == 0)
		finding_add(r, REVIEW_WARN, object, "selects no component of this device's inventory");
	else
		finding_add(r, REVIEW_OK, object, "selects %zu component%s that %s here and %zu that %s offline",
		    here, here == 1 ? "" : "s", here == 1 ? "is" : "are", away, away == 1 ? "is" : "are");
}

static void
review_stage(struct review *r, const struct plan_stage *s)
{
	char object[64];

	snprintf(object, sizeof object, "step %zu", s->number + 1);
	if (!s->is_host && !s->child) {
		finding_add(r, REVIEW_FAIL, object, "its manifest cannot be had: %s", s->fail.text);
		return;
	}
	if (!s->is_host) {
		review_files(r, s->child);
		review_selection(r, object, s);
	}
	for (size_t i = 0; i < s->n_steps; i++) {
		if (!s->is_host)
			snprintf(object, sizeof object, "step %zu.%zu", s->number + 1, i + 1);
		review_handler(r, object, &s->steps[i]);
	}
}

enum review_level
review_goal(const struct review_spec *spec)
{
	struct review r = { .spec = spec };

	review_signature(&r);
	review_files(&r, spec->plan->manifest);
	for (size_t i = 0; i < spec->plan->n_stages; i++)
		review_stage(&r, &spec->plan->stages[i]);
	return r.worst;
}
