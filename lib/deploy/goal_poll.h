/*
 * goal_poll - a goal over HTTP or HTTPS, kept in a file.
 *
 * The URL is asked for with GET and the ETag of what was received last.  A server
 * that holds requests back until there is something new (deploy/http_job.h) is asked
 * again at once; another one every POLL.  A second after the first answer it is asked whether it does.  After a failure the time until the next
 * try grows, at random.  What was received goes to a file, which is replaced atomically
 * and read like any other goal's file.
 *
 * An import manifest (deploy/import.h) goes there as the goal that it stands for, once the import
 * manifests that it refers to have been fetched: those have its URL but for the last component of the path.
 */
#ifndef DEPLOY_GOAL_POLL_H
#define DEPLOY_GOAL_POLL_H

#include "base/fail.h"
#include "base/loop.h"
#include "deploy/http_job.h"

struct goal_poll;

struct goal_poll_callbacks {
	loop_fn *changed;	/* the file holds something new */
	void (*failed)(const struct fail *f, void *cookie);	/* the first failure in a row; NULL: it is over */
	void *cookie;
};

/* DIR is made where it is missing, once there is something to keep; LINK is borrowed.  It asks from the loop. */
struct goal_poll *goal_poll_new(struct loop *l, const char *url, const char *dir, const struct http_job_link *link,
    const struct goal_poll_callbacks *callbacks);
void goal_poll_free(struct goal_poll *p);

/* Ask now; DONE is called once, from the loop, when there is an answer or 10 s have passed without one. */
void goal_poll_refresh(struct goal_poll *p, loop_fn *done, void *cookie);

/* The URL without its query, for messages; the path of the file, which may not be there yet.  Borrowed. */
const char *goal_poll_name(const struct goal_poll *p);
const char *goal_poll_path(const struct goal_poll *p);

#endif
