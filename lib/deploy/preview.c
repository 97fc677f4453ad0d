#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/goal_file.h"
#include "deploy/preview.h"

int
preview_load_goal(const char *path, struct preview *p, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r = goal_file_load(path, 0, false, &text, f);

	*p = (struct preview){ NULL };
	if (r == -ENOENT)
		return fail_errno(f, ENOENT, "%s", path);
	return r < 0 ? r : goal_parse(path, text.s, text.len, &p->goal, f);
}

int
preview_make_plan(struct preview *p, struct fail *f)
{
	const char *tmp = getenv("TMPDIR");
	int r;

	p->dir = xasprintf("%s/rejoin-goal.XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
	if (!mkdtemp(p->dir)) {
		r = fail_errno(f, errno, "%s", p->dir);
		free(TAKE_PTR(p->dir));
		return r;
	}
	return plan_new(p->goal, p->dir, &p->plan, f);
}

int
preview_load(const char *path, struct preview *p, struct fail *f)
{
	int r = preview_load_goal(path, p, f);

	if (r == 0 && !p->goal->manifest)
		r = fail_set(f, EXIT_USAGE, "%s: has no update manifest", path);
	if (r == 0)
		r = preview_make_plan(p, f);
	if (r < 0)
		preview_release(p);
	return r;
}

void
preview_release(struct preview *p)
{
	plan_free(p->plan);
	goal_free(p->goal);
	if (p->dir)
		file_remove_tree(p->dir);
	free(p->dir);
	*p = (struct preview){ NULL };
}

/* The selectors of the stage's manifest, as text. */
static void
format_selectors(const struct plan_stage *s, struct buf *out)
{
	for (size_t i = 0; i < json_count(s->child->compatibility); i++) {
		_cleanup_json_ struct json one = json_at(s->child->compatibility, i);

		buf_puts(out, i ? " or " : "");
		json_format(one, out);
	}
}

static struct json
describe_step(const struct plan_stage *s, size_t i)
{
	const struct manifest_step *step = &s->steps[i];
	const char *criteria = json_get_text(step->properties, "installedCriteria");
	struct json record = json_object();
	_cleanup_free_ char *name = s->is_host ? xasprintf("%zu", s->number + 1) :
	    xasprintf("%zu.%zu", s->number + 1, i + 1);
	_cleanup_buf_ struct buf files = BUF_INIT;
	_cleanup_buf_ struct buf selectors = BUF_INIT;

	for (size_t k = 0; step->files[k]; k++)
		buf_printf(&files, "%s%s", k ? " " : "", step->files[k]->name);
	if (s->is_host)
		buf_puts(&selectors, "host");
	else
		format_selectors(s, &selectors);
	json_set_text(&record, "step", name);
	json_set_text(&record, "handler", step->handler);
	json_set_text(&record, "components", selectors.s);
	if (criteria)
		json_set_text(&record, "criteria", criteria);
	json_set_text(&record, "files", files.s);
	json_set(&record, "properties", json_copy(step->properties));
	return record;
}

bool
preview_steps(const struct preview *p, void (*step)(struct json record, void *cookie),
    void (*problem)(const struct fail *f, void *cookie), void *cookie)
{
	bool whole = true;

	for (size_t i = 0; i < p->plan->n_stages; i++) {
		const struct plan_stage *s = &p->plan->stages[i];

		if (!s->is_host && !s->child) {
			problem(&s->fail, cookie);
			whole = false;
		}
		for (size_t k = 0; k < s->n_steps; k++) {
			_cleanup_json_ struct json record = describe_step(s, k);

			step(record, cookie);
		}
	}
	return whole;
}
