#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/io.h"
#include "base/sha.h"
#include "base/xalloc.h"
#include "deploy/criteria.h"
#include "deploy/download.h"
#include "deploy/goal_file.h"

/* fileUrls for the manifest V, the file PATH: its files are where it is. */
static struct json
urls_beside(const char *path, struct json v)
{
	_cleanup_json_ struct json files = json_get(v, "files");
	_cleanup_free_ char *real = realpath(path, NULL);
	const char *dir = real ? dirname(real) : "/";
	struct json_iter it = json_begin(files);
	struct json urls = json_object();

	while (json_next(&it)) {
		const char *name = json_get_text(it.value, "fileName");
		_cleanup_free_ char *file = name ? xasprintf("%s/%s", dir, name) : NULL;
		_cleanup_free_ char *url = file ? payload_url(file) : NULL;

		if (url)
			json_set_text(&urls, it.key, url);
	}
	return urls;
}

/*
 * The file PATH as a goal.  It is one; or an update manifest, whose files are beside it; or an object of
 * updateManifest and fileUrls, without a workflow.
 */
static int
parse_goal(const char *path, struct json v, const struct buf *text, struct goal **out,
    struct fail *f)
{
	_cleanup_json_ struct json version = json_get(v, "manifestVersion");
	_cleanup_json_ struct json inner = json_get(v, "updateManifest");
	_cleanup_json_ struct json workflow = json_get(v, "workflow");
	bool bare = json_kind(version) != JSON_NONE;
	struct goal *g;
	int r;

	if (!bare && (!json_get_string(inner) || json_kind(workflow) != JSON_NONE))
		return goal_parse(path, text->s, text->len, out, f);
	g = xcalloc(1, sizeof *g);
	g->action = GOAL_PROCESS;
	g->urls = bare ? urls_beside(path, v) : json_get(v, "fileUrls");
	r = manifest_parse(path, text->s, text->len, g->urls, &g->manifest, f);
	if (r < 0)
		goal_free(g);
	else
		*out = g;
	return r;
}

static int
load_goal(const char *path, struct goal **out, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct goal *g = NULL;
	int r = goal_file_load(path, FILE_TRUSTED, true, &text, f);

	if (r == 0)
		r = json_parse(path, text.s, text.len, &v, f);
	if (r == 0)
		r = parse_goal(path, v, &text, &g, f);
	if (r == 0 && !g->manifest) {
		goal_free(g);
		r = fail_set(f, EXIT_USAGE, "%s: has no update manifest", path);
	}
	if (r == 0)
		*out = g;
	return r;
}

static void
add_stage(struct criteria *q, const struct plan_stage *s)
{
	const struct manifest *m = s->is_host ? q->plan->manifest : s->child;
	size_t n = m ? s->n_steps : 1;

	q->steps = xrealloc(q->steps, q->n_steps + n, sizeof *q->steps);
	for (size_t i = 0; i < n; i++)
		q->steps[q->n_steps++] = (struct criteria_step){
			.name = s->is_host || !m ? xasprintf("step_%zu", s->number) :
			    xasprintf("step_%zu.%zu", s->number, i),
			.selectors = m ? m->compatibility : JSON_ABSENT,
			.step = m ? &s->steps[i] : NULL,
			.fail = m ? NULL : &s->fail,
		};
}

/* Q's steps whose script a server has: it is fetched now, where that may block, or the step says why it is not there. */
static void
fetch_scripts(struct criteria *q)
{
	for (size_t i = 0; i < q->n_steps; i++) {
		struct criteria_step *s = &q->steps[i];
		const struct payload *p = s->step ? manifest_step_script(s->step, NULL) : NULL;
		_cleanup_free_ char *path = NULL;
		struct fail f;

		if (!p || !download_is_url(p->url) || payload_fetch(p, q->cache, &path, &f) == 0)
			continue;
		s->fetch_fail = xcalloc(1, sizeof *s->fetch_fail);
		*s->fetch_fail = f;
		s->fail = s->fetch_fail;
		s->step = NULL;
	}
}

static int
init_manifest(struct criteria *q, const char *path, struct fail *f)
{
	int r = load_goal(path, &q->goal, f);

	if (r == 0)
		r = plan_new(q->goal, q->cache, &q->plan, f);
	for (size_t i = 0; r == 0 && i < q->plan->n_stages; i++)
		add_stage(q, &q->plan->stages[i]);
	if (r == 0 && download_is_allowed())
		fetch_scripts(q);
	return r;
}

static int
init_script(struct criteria *q, const struct criteria_spec *spec, struct fail *f)
{
	_cleanup_buf_ struct buf arguments = BUF_INIT;
	int r = payload_describe(spec->script, &q->payload, f);

	if (r < 0)
		return r;
	for (char *const *a = spec->args; *a; a++)
		buf_printf(&arguments, "%s%s", arguments.len ? " " : "", *a);
	q->script = xcalloc(1, sizeof *q->script);
	q->script->handler = xstrdup("microsoft/script:1");
	q->script->properties = json_object();
	json_set_text(&q->script->properties, "scriptFileName", q->payload.name);
	json_set_text(&q->script->properties, "arguments", arguments.s);
	if (spec->criteria)
		json_set_text(&q->script->properties, "installedCriteria", spec->criteria);
	q->script->files = xcalloc(2, sizeof *q->script->files);
	q->script->files[0] = &q->payload;
	q->steps = xcalloc(1, sizeof *q->steps);
	q->steps[q->n_steps++].step = q->script;
	return 0;
}

static int
init_program(struct criteria *q, const char *program, struct fail *f)
{
	char text[sizeof f->text];

	q->filter = json_filter_new(program, f);
	if (q->filter)
		return 0;
	snprintf(text, sizeof text, "%s", f->text);
	return fail_set(f, EXIT_USAGE, "jq program '%s': %.400s", program, text);
}

/* Others are let through, not in: handlers may run as another user. */
static int
make_workdir(struct criteria *q, const char *cache, struct fail *f)
{
	const char *tmp = secure_getenv("TMPDIR");
	_cleanup_free_ char *dir = realpath(tmp && *tmp ? tmp : "/tmp", NULL);

	if (!dir)
		return fail_errno(f, errno, "%s", tmp && *tmp ? tmp : "/tmp");
	q->workdir = xasprintf("%s/rejoin-installed.XXXXXX", dir);
	if (!mkdtemp(q->workdir) || chmod(q->workdir, 0711) < 0) {
		int r = fail_errno(f, errno, "%s", q->workdir);

		free(TAKE_PTR(q->workdir));
		return r;
	}
	q->workdirs = workdirs_new(q->workdir);
	q->cache = cache ? xstrdup(cache) : xasprintf("%s/cache", q->workdir);
	return 0;
}

int
criteria_init(struct criteria *q, const struct criteria_spec *spec, const char *cache,
    struct fail *f)
{
	const char *text = spec->version ? spec->version : spec->program;
	int r = 0;

	*q = (struct criteria){ .kind = spec->version ? CRITERIA_VERSION :
	    spec->program ? CRITERIA_PROGRAM : CRITERIA_STEPS, .text = text ? xstrdup(text) : NULL };
	if (q->kind == CRITERIA_STEPS)
		r = make_workdir(q, cache, f);
	if (r < 0)
		;
	else if (spec->program)
		r = init_program(q, spec->program, f);
	else if (spec->manifest)
		r = init_manifest(q, spec->manifest, f);
	else if (spec->script)
		r = init_script(q, spec, f);
	if (r < 0)
		criteria_release(q);
	return r;
}

void
criteria_release(struct criteria *q)
{
	for (size_t i = 0; i < q->n_steps; i++) {
		free(q->steps[i].name);
		free(q->steps[i].fetch_fail);
	}
	free(q->steps);
	free(q->text);
	json_filter_free(q->filter);
	plan_free(q->plan);
	goal_free(q->goal);
	if (q->script) {
		free(q->script->handler);
		json_release(&q->script->properties);
		free(q->script->files);
		free(q->script);
	}
	payload_release(&q->payload);
	if (q->workdir)
		file_remove_tree(q->workdir);
	workdirs_free(q->workdirs);
	free(q->workdir);
	free(q->cache);
	*q = (struct criteria){ 0 };
}
