#include <sched.h>

#include "base/xalloc.h"
#include "causal/prescan.h"
#include "causal/scheduler.h"
#include "log/run.h"

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
run_scheduler_spec(const struct run *run, struct scheduler_spec *spec)
{
	const struct render_style *style = &run->style;
	const bool minimax = run->order == RUN_MINIMAX;

	*spec = (struct scheduler_spec){ .rules = &run->rules, .patience_ns = run->patience_ms * 1000000,
	    .remember_ns = run->patience_ms * 1000000, .minimax = minimax,
	    .buffer = minimax ? SIZE_MAX : (size_t)run->buffer_bytes, .explain = style->explain || style->json,
	    .fields = style->json || run->filter.level >= 0, .dropped = run->dropped };
}

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

static void
print_bytes(const struct span *records, size_t n, void *cookie)
{
	struct render *out = ((const struct printing *)cookie)->out;

	for (size_t i = 0; i < n; i++)
		render_bytes(out, records[i].p, records[i].n, false);
}

static void
print_piece(struct span piece, void *cookie)
{
	render_bytes(((const struct printing *)cookie)->out, piece.p, piece.n, true);
}

/* It is not known when more will come. */
static void
flush(void *cookie)
{
	render_flush(((const struct printing *)cookie)->out);
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
	struct printing x = { out, filter_is_any(&run->filter) ? &run->filter : NULL };
	const bool by_time = run->order == RUN_TIME ||
	    (run->order == RUN_CAUSAL && !scheduler_is_needed(all->v, all->n, &run->rules));
	struct prescan *known = by_time ? NULL : prescan(run, all);
	struct scheduler_spec spec;

	run_scheduler_spec(run, &spec);
	spec.by_time = by_time;
	spec.prescan = known;
	spec.print = print;
	if (!x.filter && !out->style && !out->line_buffered) {
		spec.print_bytes = print_bytes;
		spec.print_piece = print_piece;
	}
	spec.stopped = has_failed;
	spec.idle = run->style.last ? NULL : flush;
	spec.cookie = &x;
	/* What draws records looks for their fields itself, with the regular expressions of the decoder. */
	spec.workers = run->style.artist ? 0 : threads() - 1;
	batch_run(all->v, all->n, &spec, count);
	prescan_free(known);
}

void
run_merge(struct run *run, struct sources *all, struct render *out, struct causal_count *count)
{
	*count = (struct causal_count){ 0 };
	merge_causal(run, all, out, count);
}
