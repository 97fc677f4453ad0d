/*
 * run - one run over sources: which of the merges does it, and with what.
 */
#ifndef LOG_RUN_H
#define LOG_RUN_H

#include "output/filter.h"
#include "output/render.h"
#include "causal/scheduler.h"
#include "log/sources.h"

struct run {
	enum { RUN_CAUSAL, RUN_MINIMAX, RUN_TIME } order;
	bool exact;			/* the sources can all be read twice, and are */
	bool estimate;			/* then their clocks' offsets, too */
	int64_t patience_ms, buffer_bytes;
	int64_t remember_ms;		/* -1: PATIENCE_MS */
	struct filter filter;
	struct render_style style;
	struct rules rules;
	/*
	 * Told of the estimated offset of a clock, of a source that is read by host, and of constraints that are
	 * dropped.  CLOCK is NULL where none is estimated, because there are NS of them and that is too many.
	 */
	void (*offset)(const char *clock, int64_t ns);
	void (*by_host)(const struct source *s);
	void (*dropped)(const struct scheduler_dropped *d, void *cookie);
	/* As in struct scheduler_spec. */
	void (*unsafe)(const struct rule *r, int64_t pairs, int64_t lost_sends, int64_t lost_receives, void *cookie);
	void (*lost_channel)(const struct rule *r, const struct source *s, int64_t off, void *cookie);
	void (*refuted)(const struct rule *r, int64_t pairs, int64_t against, void *cookie);
};

/* What the causal merge is told, but for how it prints and what a prescan knows. */
void run_scheduler_spec(const struct run *run, struct scheduler_spec *spec);

/* Have sources that are in no order of all their hosts be read by host, unless the user says how they are read. */
void run_choose_orders(const struct run *run, struct sources *all);

/* The regular files of SPECS that are there and hold anything, but for more than can be looked at; the cookie of each is its spec. */
void run_open_files(struct source_specs *specs, const struct formats *formats, struct domains *domains, struct sources *all);

/*
 * Before files of SPECS are followed: estimate the offsets of DOMAINS from what
 * the files hold, if they are few, and have SPECS say order=host of those that need it.
 */
void run_sample_clocks(struct run *run, struct source_specs *specs, const struct formats *formats,
    struct domains *domains);

/* One for each core that is ours, at most 8. */
unsigned run_threads(void);

/* Merge ALL into OUT; COUNT is that of all that was done. */
void run_merge(struct run *run, struct sources *all, struct render *out, struct causal_count *count);

#endif
