#include <sched.h>

#include "base/xalloc.h"
#include "causal/prescan.h"
#include "causal/scheduler.h"
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

/* --- the engine of lib/causal */

struct printing {
	struct render *out;
	const struct filter *filter;	/* NULL: all records */
};

static bool
print(const struct printed *p, void *cookie)
{
	const struct printing *x = cookie;
	struct shown shown = { .source = p->source, .record = p->record, .fields = p->fields, .mark = p->mark,
	    .why = p->why, .moved_ns = p->moved_ns };

	if (x->filter && !filter_passes(x->filter, p->record, p->fields))
		return false;
	render_record(x->out, p->source, &shown);
	return true;
}

static bool
has_failed(void *cookie)
{
	return ((const struct printing *)cookie)->out->w.error != 0;
}

static void
give_offsets(const struct run *run, struct sources *all, const int64_t *offsets)
{
	for (unsigned i = 0; i < all->n; i++) {
		all->v[i]->offset_ns += offsets[i];
		if (offsets[i])
			run->offset(all->v[i], offsets[i]);
	}
}

/* What is known from reading all before (--exact), or of the clocks from a part: NULL then. */
static struct prescan *
prescan(const struct run *run, struct sources *all)
{
	_cleanup_free_ int64_t *offsets = xcalloc(all->n + 1, sizeof *offsets);
	_cleanup_free_ bool *clocks = xcalloc(all->n + 1, sizeof *clocks);
	struct prescan_spec spec = { .rules = &run->rules, .used = xcalloc(all->n + 1, sizeof *spec.used),
	    .clocks = clocks, .window_ns = run->patience_ms * 1000000, .workers = threads() - 1 };
	struct prescan *p = NULL;
	bool any = false;

	for (unsigned i = 0; i < all->n; i++) {
		bool some;

		spec.used[i] = scheduler_rules_for(&run->rules, all->v[i], &some);
		clocks[i] = scheduler_has_clocks(all->v[i]);
		any |= some;
	}
	if (run->exact)
		p = prescan_run(all->v, all->n, &spec, run->estimate ? offsets : NULL);
	else if (run->estimate && any)
		prescan_sample(all->v, all->n, &spec, offsets);
	give_offsets(run, all, offsets);
	for (unsigned i = 0; i < all->n; i++)
		free(spec.used[i]);
	free(spec.used);
	return p;
}

static void
merge_causal(struct run *run, struct sources *all, struct render *out, struct causal_count *count)
{
	const struct render_style *style = &run->style;
	struct printing x = { out, filter_is_any(&run->filter) ? &run->filter : NULL };
	struct prescan *known = prescan(run, all);
	struct scheduler_spec spec = { .rules = &run->rules, .patience_ns = run->patience_ms * 1000000,
	    .remember_ns = run->patience_ms * 1000000, .minimax = run->order == RUN_MINIMAX,
	    .buffer = run->order == RUN_MINIMAX ? SIZE_MAX : (size_t)run->buffer_bytes,
	    .prescan = known, .explain = style->explain || style->json,
	    .fields = style->json || run->filter.level >= 0,
	    .print = print, .stopped = has_failed, .dropped = run->dropped, .cookie = &x };

	/* What draws records looks for their fields itself, with the regular expressions of the decoder. */
	spec.workers = style->artist ? 0 : threads() - 1;
	batch_run(all->v, all->n, &spec, count);
	prescan_free(known);
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
merge_by_time(struct run *run, struct sources *all, struct render *out, struct causal_count *count)
{
	struct filter *filter = filter_is_any(&run->filter) ? &run->filter : NULL;

	if (!is_threadable(all, out) ||
	    !merge_parallel(all->v, all->n, threads(), 0, NULL, filter, out, &run->merged))
		merge_run(all->v, all->n, filter, out, &run->merged);
	order_count_merged(count, &run->merged);
}

void
run_merge(struct run *run, struct sources *all, struct render *out, struct causal_count *count)
{
	*count = (struct causal_count){ 0 };
	if (run->order == RUN_TIME || (run->order == RUN_CAUSAL && !order_is_needed(all->v, all->n, &run->rules)))
		merge_by_time(run, all, out, count);
	else
		merge_causal(run, all, out, count);
}
