/*
 * goal_source - the place that goals come from, and its changes.
 *
 * file:PATH (or file:///PATH) is a file.  Its path is watched, and polled every 5 s
 * where inotify does not report all changes (base/filewatch.h).  http://... and
 * https://... are fetched into a file (deploy/goal_poll.h).  A change is a hint: the
 * caller reads the file.
 */
#ifndef DEPLOY_GOAL_SOURCE_H
#define DEPLOY_GOAL_SOURCE_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/loop.h"
#include "deploy/http_job.h"

struct goal_source;

struct goal_source_spec {
	const char *url;
	const char *dir;	/* for what is fetched */
	const struct http_job_link *link;
	loop_fn *changed;	/* called from the loop */
	/* The source cannot be reached: the first failure in a row; NULL: it can be again. */
	void (*failed)(const struct fail *f, void *cookie);
	void *cookie;
};

/* EXIT_USAGE where the URL has another form. */
int goal_source_open(struct loop *l, const struct goal_source_spec *spec, struct goal_source **out, struct fail *f);
void goal_source_close(struct goal_source *h);

/* The path in the address of a goal, a part of URL; NULL where it is no absolute path of a file. */
const char *goal_source_file(const char *url);

/* The path of the goal's file, and what to call it in messages; borrowed. */
const char *goal_source_path(const struct goal_source *h);
const char *goal_source_name(const struct goal_source *h);

/*
 * Fetch it now: true where DONE will be called, once, from the loop, with or without an answer; false for a
 * file, which is there to be read.
 */
bool goal_source_refresh(struct goal_source *h, loop_fn *done, void *cookie);

#endif
