/*
 * job - one run over sources: which of the merges does it, and with what.
 */
#ifndef LOG_JOB_H
#define LOG_JOB_H

#include "log/filter.h"
#include "log/merge.h"
#include "log/order.h"
#include "log/sources.h"

struct job {
	enum { JOB_CAUSAL, JOB_MINIMAX, JOB_TIME } order;
	bool exact;			/* the sources can all be read twice, and are */
	bool estimate;			/* then their clocks' offsets, too */
	int64_t patience_ms, buffer_bytes;
	struct filter filter;
	struct render_style style;
	struct rules rules;
	struct merge_count merged;	/* records shown that job_run()'s COUNT has yet to be told of */
	/* Told of the offset of a source's clock, when it was estimated, and of edges that are dropped. */
	void (*offset)(const struct source *s, int64_t ns);
	void (*dropped)(const struct order_dropped *d, void *cookie);
};

/* How the causal merge is to do it, but for what only job_run() knows. */
void job_order_spec(struct job *job, struct order_spec *spec);

/* Merge ALL into OUT; COUNT is that of all that was done. */
void job_run(struct job *job, struct sources *all, struct render *out, struct order_count *count);

#endif
