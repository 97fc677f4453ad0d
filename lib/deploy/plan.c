#include <stdlib.h>

#include "base/xalloc.h"
#include "component/component.h"
#include "component/selector.h"
#include "deploy/plan.h"

static void
add_stage(struct plan *p, size_t i, const struct goal *g, const char *cache)
{
	const struct manifest_step *step = &p->manifest->steps[i];
	struct plan_stage *s = &p->stages[p->n_stages++];

	*s = (struct plan_stage){ .number = i, .selected = json_array(), .waiting = json_array() };
	if (!step->detached) {
		s->is_host = true;
		s->steps = step;
		s->n_steps = 1;
	} else if (manifest_fetch(manifest_file(p->manifest, step->detached), cache, g->urls,
	    &s->child, &s->fail) == 0) {
		s->steps = s->child->steps;
		s->n_steps = s->child->n_steps;
	}
}

/* A manifest too long for the goal is a file of its own. */
static int
manifest_unfold(struct plan *p, const struct goal *g, const char *cache, struct fail *f)
{
	const struct payload *file;
	int r;

	p->manifest = g->manifest;
	if (!g->manifest->detached)
		return 0;
	file = manifest_file(g->manifest, g->manifest->detached);
	r = manifest_fetch_whole(file, cache, g->urls, &p->unfolded, f);
	if (r < 0)
		return r;
	p->manifest = p->unfolded;
	return p->unfolded->detached ? fail_set(f, EXIT_USAGE,
	    "%s: a detached manifest that names another", file->name) : 0;
}

int
plan_new(const struct goal *g, const char *cache, struct plan **out, struct fail *f)
{
	struct plan *p = xcalloc(1, sizeof *p);
	int r = manifest_unfold(p, g, cache, f);

	if (r < 0) {
		plan_free(p);
		return r;
	}
	p->stages = xcalloc(p->manifest->n_steps, sizeof *p->stages);
	for (size_t i = 0; i < p->manifest->n_steps; i++)
		add_stage(p, i, g, cache);
	*out = p;
	return 0;
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
