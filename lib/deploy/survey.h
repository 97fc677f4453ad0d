/*
 * survey - one question put to many components, so many at a time.
 *
 * Components are taken from the caller one by one and only when there is time
 * for them, so that whoever supplies them is not read faster than answered.
 */
#ifndef DEPLOY_SURVEY_H
#define DEPLOY_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "deploy/verdict.h"

struct survey_spec {
	struct verdict_spec verdict;
	int64_t jobs;		/* at a time */
	bool in_order;		/* told as they were asked, else as soon as each is decided */

	/* The next component into C, the survey's from then on: 1; 0 where there is none now. */
	int (*next)(struct json *c, void *cookie);
	/*
	 * A verdict: its record (verdict_record()), and what the script printed.
	 * Components that are not meant are left out.
	 */
	void (*tell)(struct json record, enum verdict_answer answer, const char *output,
	    void *cookie);
	/*
	 * All is asked and told that can be now.  WANTS: there is time for more,
	 * and NEXT had none.  IS_IDLE: nobody is being asked.
	 */
	void (*rest)(bool wants, bool is_idle, void *cookie);
	void *cookie;
};

struct survey;

/* SPEC is copied, what it points to must live as long as the survey. */
struct survey *survey_new(struct loop *l, const struct survey_spec *spec);

/* Only while it is idle, or never to run its loop again. */
void survey_free(struct survey *s);

/* NEXT may have something: begin, or go on. */
void survey_proceed(struct survey *s);

#endif
