/*
 * batch - the batch evaluator: evaluates the same criteria on many components, at
 * most JOBS at a time.
 *
 * It asks the caller for the next component only when a job is free, so a source
 * is not read faster than its components are evaluated.
 */
#ifndef DEPLOY_BATCH_H
#define DEPLOY_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "deploy/evaluation.h"

struct batch_spec {
	struct evaluation_spec evaluation;
	int64_t jobs;		/* evaluations at a time */
	bool in_order;		/* report in the order of NEXT, else each as soon as it ends */

	/* The next component into C, which passes to the batch: 1; 0 where there is none now. */
	int (*next)(struct json *c, void *cookie);
	/*
	 * An evaluation has ended: its record (evaluation_record()), and the output of
	 * the script.  Components that no step selects are left out.
	 */
	void (*evaluated)(struct json record, enum evaluation_answer answer, const char *output,
	    void *cookie);
	/*
	 * Nothing more can be started or reported now.  WANTS: a job is free, and NEXT
	 * returned 0.  IS_IDLE: no evaluation is running.
	 */
	void (*idle)(bool wants, bool is_idle, void *cookie);
	void *cookie;
};

struct batch;

/* SPEC is copied; what it points to must outlive the batch. */
struct batch *batch_new(struct loop *l, const struct batch_spec *spec);

/* Only while it is idle, or when its loop is not run again. */
void batch_free(struct batch *s);

/* Start evaluations: at the beginning, and whenever NEXT may have a component again. */
void batch_advance(struct batch *s);

#endif
