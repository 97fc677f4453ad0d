#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/sha.h"
#include "base/xalloc.h"
#include "deploy/goal_poll.h"
#include "deploy/manifest.h"

enum {
	WAIT_S = 60,		/* that a server may hold a request back */
	SLACK_MS = 15000,	/* until the answer to such a request is overdue */
	REFRESH_MS = 10000,
	AGAIN_MS = 1000,	/* at least, between two requests that were held back */
};

struct goal_poll {
	struct loop *loop;
	char *url, *name, *dir, *path;
	const struct http_job_link *link;
	struct goal_poll_callbacks callbacks;
	struct http_job *job;	/* running, or NULL */
	char etag[128];
	struct http_job_backoff backoff;
	bool is_failing;
	bool may_be_held;		/* JOB may take as long as the server likes */
	struct loop_timer next;
	loop_fn *refreshed;		/* of the refresh that is under way; or NULL */
	void *refresh_cookie;
};

static void
end_refresh(struct goal_poll *p)
{
	loop_fn *done = p->refreshed;

	p->refreshed = NULL;
	if (done)
		done(p->refresh_cookie);
}

static void
poll_fail(struct goal_poll *p, const struct fail *f, int64_t at_least_ms)
{
	int64_t ms = http_job_backoff_next(&p->backoff);

	if (!p->is_failing)
		p->callbacks.failed(f, p->callbacks.cookie);
	p->is_failing = true;
	loop_timer_set(p->loop, &p->next, ms > at_least_ms ? ms : at_least_ms);
	end_refresh(p);
}

static void
poll_succeed(struct goal_poll *p, bool has_waited)
{
	const int64_t ms = has_waited ? AGAIN_MS : p->link->poll_ms;

	http_job_backoff_succeed(&p->backoff);
	if (p->is_failing)
		p->callbacks.failed(NULL, p->callbacks.cookie);
	p->is_failing = false;
	/* a thousand devices that were switched on together do not ask together */
	loop_timer_set(p->loop, &p->next, has_waited ? ms : ms - http_job_random(ms / 4 + 1));
	end_refresh(p);
}

static void
poll_done(const struct http_job_response *r, const struct fail *why, void *cookie)
{
	struct goal_poll *p = cookie;
	struct fail f;
	int e;

	p->job = NULL;
	if (loop_is_shutting_down(p->loop))
		return;
	if (why) {
		poll_fail(p, why, 0);
	} else if (r->status == 304 && *p->etag) {
		poll_succeed(p, r->has_waited);
	} else if (r->status != 200) {
		fail_set(&f, EXIT_TROUBLE, "%s: HTTP %d", p->name, r->status);
		poll_fail(p, &f, r->retry_after_ms);
	} else if ((e = file_make_dirs(p->dir, 0750)) < 0 || (e = file_replace(p->path, r->body, r->body_len, 0640, FILE_DURABLE)) < 0) {
		fail_errno(&f, e, "%s", p->path);
		poll_fail(p, &f, 0);
	} else {
		memcpy(p->etag, r->etag, sizeof p->etag);
		p->callbacks.changed(p->callbacks.cookie);
		poll_succeed(p, r->has_waited);
	}
}

static void
poll_start(void *cookie)
{
	struct goal_poll *p = cookie;
	const bool may_wait = !p->refreshed && *p->etag && !p->is_failing;
	_cleanup_free_ char *etag = *p->etag ? xasprintf("If-None-Match: %s", p->etag) : NULL;
	_cleanup_free_ char *prefer = may_wait ? xasprintf("Prefer: wait=%d", WAIT_S) : NULL;
	const char *headers[4] = { "Accept: application/json" };
	size_t n = 1;

	if (etag)
		headers[n++] = etag;
	if (prefer)
		headers[n++] = prefer;
	loop_timer_stop(p->loop, &p->next);
	p->may_be_held = may_wait;
	p->job = http_job_start(p->loop, &(struct http_job_request){ .url = p->url, .headers = headers,
	    .max = MANIFEST_MAX, .timeout_ms = may_wait ? WAIT_S * 1000 + SLACK_MS : REFRESH_MS, .link = p->link },
	    poll_done, p);
}

struct goal_poll *
goal_poll_new(struct loop *l, const char *url, const char *dir, const struct http_job_link *link,
    const struct goal_poll_callbacks *callbacks)
{
	struct goal_poll *p = xcalloc(1, sizeof *p);
	struct sha *sha = sha_new("sha256");
	char hash[SHA_TEXT], hex[SHA_HEX];

	sha_add(sha, url, strlen(url));
	sha_end(sha, hash);
	sha_hex(hash, hex);
	*p = (struct goal_poll){ .loop = l, .url = xstrdup(url), .name = xstrndup(url, strcspn(url, "?#")),
	    .dir = xstrdup(dir), .link = link, .callbacks = *callbacks,
	    .next = { .fn = poll_start, .cookie = p } };
	/* a file for each address: a goal of another server is not taken for one of this server */
	p->path = xasprintf("%s/%.16s.json", dir, hex);
	file_remove_temporaries(dir);
	loop_timer_set(l, &p->next, 0);
	return p;
}

void
goal_poll_free(struct goal_poll *p)
{
	if (!p)
		return;
	loop_timer_stop(p->loop, &p->next);
	http_job_kill(p->job);
	free(p->url);
	free(p->name);
	free(p->dir);
	free(p->path);
	free(p);
}

void
goal_poll_refresh(struct goal_poll *p, loop_fn *done, void *cookie)
{
	p->refreshed = done;
	p->refresh_cookie = cookie;
	if (p->job && !p->may_be_held)
		return;
	/* one that the server holds back says nothing yet of what is there now */
	http_job_kill(p->job);
	poll_start(p);
}

const char *
goal_poll_name(const struct goal_poll *p)
{
	return p->name;
}

const char *
goal_poll_path(const struct goal_poll *p)
{
	return p->path;
}
