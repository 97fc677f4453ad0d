#include <sched.h>

#include "base/xalloc.h"
#include "log/census.h"
#include "log/run.h"
#include "log/merge.h"

enum { THREADS_MAX = 8 };	/* beyond, memory is the limit */

/* One for each core that is ours. */
static unsigned
threads(void)
{
	cpu_set_t cpus;
	int n = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;

	return n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

/* Learn from reading all, or of their clocks from a part: NULL then. */
static struct census *
take_census(const struct run *run, struct sources *all)
{
	_cleanup_free_ int64_t *offsets = xcalloc(all->n + 1, sizeof *offsets);
	struct census *c = NULL;

	if (run->exact)
		c = census_run(all->v, all->n, &run->rules, threads(), run->patience_ms * 1000000,
		    run->estimate ? offsets : NULL);
	else if (run->estimate)
		census_sample(all->v, all->n, &run->rules, offsets);
	for (unsigned i = 0; i < all->n; i++) {
		all->v[i]->offset_ns += offsets[i];
		if (offsets[i])
			run->offset(all->v[i], offsets[i]);
	}
	return c;
}

void
run_order_spec(struct run *run, struct order_spec *spec)
{
	*spec = (struct order_spec){ .rules = &run->rules, .patience_ns = run->patience_ms * 1000000,
	    .remember_ns = run->patience_ms * 1000000,
	    .mode = run->order == RUN_MINIMAX ? ORDER_MINIMAX : ORDER_CAUSAL,
	    .buffer = run->order == RUN_MINIMAX ? SIZE_MAX : (size_t)run->buffer_bytes,
	    .explain = run->style.explain || run->style.json, .threads = threads(), .dropped = run->dropped,
	    .wanted = filter_is_any(&run->filter) ? filter_wants : NULL, .cookie = &run->filter };
}

static void
merge_causal(struct run *run, struct sources *all, struct render *out, struct order_count *count)
{
	struct census *census = take_census(run, all);
	struct order_spec spec;

	run_order_spec(run, &spec);
	spec.merged = &run->merged;
	spec.census = census;
	order_run(all->v, all->n, &spec, out, count);
	census_free(census);
}

/* Can several threads filter and write the records?  The views of a source match its emitter with one regular expression. */
static bool
is_threadable(const struct sources *all, const struct render *out)
{
	const struct render_style *style = out->style;

	if (out->line_buffered || (style && (style->last || style->artist)))
		return false;
	for (unsigned i = 0; style && style->json && i < all->n; i++)
		if (all->v[i]->emitter)
			return false;
	return true;
}

static void
merge_by_time(struct run *run, struct sources *all, struct render *out, struct order_count *count)
{
	struct filter *filter = filter_is_any(&run->filter) ? &run->filter : NULL;

	if (!is_threadable(all, out) ||
	    !merge_parallel(all->v, all->n, threads(), 0, NULL, filter, out, &run->merged))
		merge_run(all->v, all->n, filter, out, &run->merged);
	order_count_merged(count, &run->merged);
}

void
run_merge(struct run *run, struct sources *all, struct render *out, struct order_count *count)
{
	*count = (struct order_count){ 0 };
	if (run->order == RUN_TIME || (run->order == RUN_CAUSAL && !order_is_needed(all->v, all->n, &run->rules)))
		merge_by_time(run, all, out, count);
	else
		merge_causal(run, all, out, count);
}
