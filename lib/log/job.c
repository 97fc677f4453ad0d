#include <sched.h>

#include "base/xalloc.h"
#include "log/census.h"
#include "log/job.h"
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
take_census(const struct job *job, struct sources *all)
{
	_cleanup_free_ int64_t *offsets = xcalloc(all->n + 1, sizeof *offsets);
	struct census *c = NULL;

	if (job->exact)
		c = census_run(all->v, all->n, &job->rules, threads(), job->patience_ms * 1000000,
		    job->estimate ? offsets : NULL);
	else if (job->estimate)
		census_sample(all->v, all->n, &job->rules, offsets);
	for (unsigned i = 0; i < all->n; i++) {
		all->v[i]->offset_ns += offsets[i];
		if (offsets[i])
			job->offset(all->v[i], offsets[i]);
	}
	return c;
}

void
job_order_spec(struct job *job, struct order_spec *spec)
{
	*spec = (struct order_spec){ .rules = &job->rules, .patience_ns = job->patience_ms * 1000000,
	    .mode = job->order == JOB_MINIMAX ? ORDER_MINIMAX : ORDER_CAUSAL,
	    .buffer = job->order == JOB_MINIMAX ? SIZE_MAX : (size_t)job->buffer_bytes,
	    .explain = job->style.explain || job->style.json, .threads = threads(), .dropped = job->dropped,
	    .wanted = filter_is_any(&job->filter) ? filter_wants : NULL, .cookie = &job->filter };
}

static void
merge_causal(struct job *job, struct sources *all, struct render *out, struct order_count *count)
{
	struct census *census = take_census(job, all);
	struct order_spec spec;

	job_order_spec(job, &spec);
	spec.merged = &job->merged;
	spec.census = census;
	order_run(all->v, all->n, &spec, out, count);
	census_free(census);
}

static void
merge_by_time(struct job *job, struct sources *all, struct render *out, struct order_count *count)
{
	bool any = filter_is_any(&job->filter);

	if (any || out->style || out->line_buffered ||
	    !merge_parallel(all->v, all->n, threads(), 0, NULL, out, &job->merged))
		merge_run(all->v, all->n, out, any ? filter_wants : NULL, &job->filter, &job->merged);
	order_count_merged(count, &job->merged);
}

void
job_run(struct job *job, struct sources *all, struct render *out, struct order_count *count)
{
	*count = (struct order_count){ 0 };
	if (job->order == JOB_TIME || (job->order == JOB_CAUSAL && !order_is_needed(all->v, all->n, &job->rules)))
		merge_by_time(job, all, out, count);
	else
		merge_causal(job, all, out, count);
}
