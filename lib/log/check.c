#include "causal/reason.h"
#include "log/check.h"

struct checking {
	const struct check_spec *spec;
	int64_t found;
};

static bool
look_at(const struct printed *p, void *cookie)
{
	struct checking *c = cookie;

	for (size_t i = 0; i < p->n_relations; i++) {
		const struct relation *r = &p->relations[i];
		const struct violation v = { p->source, r->where, p->where,
		    reason_name(c->spec->merge.rules, (enum constraint_class)r->class, r->rule) };

		if (!r->violated)
			continue;
		c->found++;
		c->spec->tell(&v, c->spec->cookie);
	}
	return true;
}

int64_t
check_run(struct source *s, const struct check_spec *spec, int64_t *records)
{
	struct checking c = { .spec = spec };
	struct scheduler_spec merge = spec->merge;
	struct causal_count count = { 0 };

	/* What was merged has no order of its own that could be trusted. */
	s->fifo = s->by_host = false;
	s->rank = 0;
	merge.verify = merge.relations = merge.lines = true;
	merge.explain = false;
	merge.remember_ns = INT64_MAX;
	merge.print = look_at;
	merge.cookie = &c;
	batch_run(&s, 1, &merge, &count);
	*records += count.records;
	return c.found > count.late ? c.found : count.late;
}
