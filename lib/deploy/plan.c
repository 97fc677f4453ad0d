#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "component/component.h"
#include "component/selector.h"
#include "deploy/plan.h"

/* Stage I; 1 where its manifest is not in the cache. */
static int
add_stage(struct plan *p, size_t i, const struct goal *g, const char *cache, const struct plan_faults *faults)
{
	const struct manifest_step *step = &p->manifest->steps[i];
	struct plan_stage *s = &p->stages[p->n_stages++];
	int r;

	*s = (struct plan_stage){ .number = i, .selected = json_array(), .waiting = json_array() };
	if (!step->detached) {
		s->is_host = true;
		s->steps = step;
		s->n_steps = 1;
		return 0;
	}
	r = manifest_load(manifest_file(p->manifest, step->detached), cache, g->urls, &s->child, &s->fail);
	if (r < 0 && faults && faults->stages[i].status != EXIT_OK)
		s->fail = faults->stages[i];
	if (r < 0)
		return r == -ENOENT;
	s->steps = s->child->steps;
	s->n_steps = s->child->n_steps;
	return 0;
}

/* A manifest too long for the goal is a file of its own. */
static int
manifest_unfold(struct plan *p, const struct goal *g, const char *cache, const struct plan_faults *faults,
    struct fail *f)
{
	const struct payload *file;
	int r;

	p->manifest = g->manifest;
	if (!g->manifest->detached)
		return 0;
	file = manifest_file(g->manifest, g->manifest->detached);
	r = manifest_load_whole(file, cache, g->urls, &p->unfolded, f);
	if (r < 0 && faults && faults->whole.status != EXIT_OK)
		*f = faults->whole;
	if (r < 0)
		return r;
	p->manifest = p->unfolded;
	return p->unfolded->detached ? fail_set(f, EXIT_USAGE,
	    "%s: a detached manifest that names another", file->name) : 0;
}

int
plan_load(const struct goal *g, const char *cache, const struct plan_faults *faults, struct plan **out,
    struct fail *f)
{
	struct plan *p = xcalloc(1, sizeof *p);
	int r = manifest_unfold(p, g, cache, faults, f);
	bool is_incomplete = r == -ENOENT;

	if (r == 0)
		p->stages = xcalloc(p->manifest->n_steps, sizeof *p->stages);
	for (size_t i = 0; r == 0 && i < p->manifest->n_steps; i++)
		is_incomplete |= add_stage(p, i, g, cache, faults) > 0;
	if (is_incomplete && !faults)
		r = 1;
	if (r == 0)
		*out = p;
	else
		plan_free(p);
	return r;
}

static int
fetch_one(const struct payload *p, const char *cache, struct fail *f)
{
	_cleanup_free_ char *path = NULL;
	int r = payload_fetch(p, cache, &path, f);

	if (r == 0)
		f->status = EXIT_OK;
	return r;
}

void
plan_fetch(const struct goal *g, const char *cache, struct plan_faults *out)
{
	struct plan p = { .unfolded = NULL };
	struct fail ignored;

	memset(out, 0, sizeof *out);
	if (g->manifest->detached &&
	    fetch_one(manifest_file(g->manifest, g->manifest->detached), cache, &out->whole) < 0)
		return;
	if (manifest_unfold(&p, g, cache, NULL, &ignored) == 0)
		for (size_t i = 0; i < p.manifest->n_steps && i < MANIFEST_STEPS_MAX; i++)
			if (p.manifest->steps[i].detached)
				fetch_one(manifest_file(p.manifest, p.manifest->steps[i].detached), cache,
				    &out->stages[i]);
	manifest_free(p.unfolded);
}

int
plan_new(const struct goal *g, const char *cache, struct plan **out, struct fail *f)
{
	struct plan_faults *faults = xcalloc(1, sizeof *faults);
	int r;

	plan_fetch(g, cache, faults);
	r = plan_load(g, cache, faults, out, f);
	free(faults);
	return r;
}

void
plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_stages; i++) {
		manifest_free(p->stages[i].child);
		json_release(&p->stages[i].selected);
		json_release(&p->stages[i].waiting);
	}
	free(p->stages);
	manifest_free(p->unfolded);
	free(p);
}

bool
plan_selects(const struct plan_stage *s, struct json component)
{
	return s->child && selector_matches_any(s->child->compatibility, component);
}

void
plan_select(struct plan *p, struct json components)
{
	for (size_t i = 0; i < p->n_stages; i++) {
		struct plan_stage *s = &p->stages[i];

		for (size_t k = 0; k < json_count(components); k++) {
			struct json c = json_at(components, k);

			if (!plan_selects(s, c))
				json_release(&c);
			else if (component_state(c) == COMPONENT_OFFLINE)
				json_append(&s->waiting, c);
			else
				json_append(&s->selected, c);
		}
	}
}
