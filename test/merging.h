/* For tests that merge sources of their own with the engine, into memory. */
#ifndef TEST_MERGING_H
#define TEST_MERGING_H

#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/prescan.h"
#include "causal/scheduler.h"
#include "output/render.h"

struct merging {
	const struct rules *rules;
	int64_t patience_ns;
	size_t buffer, block;
	unsigned workers;
	bool minimax, explain, exact, relations;
	bool sample;			/* estimate offsets from a sample */
	int64_t *offsets;		/* estimate and apply them; NULL: do not */
};

static bool
merging_print(const struct printed *p, void *cookie)
{
	struct shown shown = { .source = p->source, .record = p->record, .fields = p->fields, .mark = p->mark,
	    .why = p->why, .moved_ns = p->moved_ns, .where = p->where, .relations = p->relations,
	    .n_relations = p->n_relations };

	render_record(cookie, p->source, &shown);
	return true;
}

static struct known_ids *
merging_prescan(struct source **v, unsigned n, const struct merging *m)
{
	struct prescan_spec spec = { .rules = m->rules, .used = xcalloc(n + 1, sizeof *spec.used),
	    .window_ns = m->patience_ns, .workers = m->workers, .block = m->block };
	_cleanup_free_ bool *clocks = xcalloc(n + 1, sizeof *clocks);
	struct known_ids *p = NULL;
	bool any;

	for (unsigned i = 0; i < n; i++) {
		spec.used[i] = scheduler_rules_for(m->rules, v[i], &any);
		clocks[i] = scheduler_has_clocks(v[i]);
	}
	spec.clocks = clocks;
	if (m->exact)
		p = prescan_run(v, n, &spec, m->offsets);
	else if (m->sample)
		prescan_sample(v, n, &spec, m->offsets);
	for (unsigned i = 0; i < n; i++) {
		if (m->offsets)
			v[i]->offset_ns = m->offsets[i];
		free(spec.used[i]);
	}
	free(spec.used);
	return p;
}

/* Merge V, sorted by rank, into OUT. */
static void
merging_run(struct source **v, unsigned n, const struct merging *m, struct render *out, struct causal_count *count)
{
	struct known_ids *p = merging_prescan(v, n, m);
	struct scheduler_spec spec = { .rules = m->rules, .patience_ns = m->patience_ns, .remember_ns = m->patience_ns,
	    .buffer = m->minimax ? SIZE_MAX : m->buffer, .known = p, .minimax = m->minimax, .explain = m->explain, .relations = m->relations,
	    .workers = m->workers, .block = m->block, .print = merging_print, .cookie = out };

	*count = (struct causal_count){ 0 };
	batch_run(v, n, &spec, count);
	known_ids_free(p);
}

#endif
