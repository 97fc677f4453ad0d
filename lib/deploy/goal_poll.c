#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/sha.h"
#include "base/xalloc.h"
#include "deploy/goal_poll.h"
#include "deploy/import.h"
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
	struct json import;		/* an import manifest that waits for those beside it */
	struct json beside;		/* their texts, by their names */
	char missing[NAME_MAX + 1];	/* the one that JOB fetches */
	char *before, *after;		/* the URL of a file beside the goal, around its name */
	char etag[128];
	struct http_job_backoff backoff;
	bool is_failing;
	bool may_be_held;		/* JOB may take as long as the server likes */
	bool has_asked;			/* one that may be held was made: the server has shown whether it holds them */
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
	const bool is_soon = has_waited || (*p->etag && !p->has_asked);
	const int64_t ms = is_soon ? AGAIN_MS : p->link->poll_ms;

	http_job_backoff_succeed(&p->backoff);
	if (p->is_failing)
		p->callbacks.failed(NULL, p->callbacks.cookie);
	p->is_failing = false;
	/* a thousand devices that were switched on together do not ask together */
	loop_timer_set(p->loop, &p->next, is_soon ? ms : ms - http_job_random(ms / 4 + 1));
	end_refresh(p);
}

/* The text of a goal to its file. */
static void
goal_keep(struct goal_poll *p, const char *text, size_t n, bool has_waited)
{
	struct fail f;
	int e = file_make_dirs(p->dir, 0750);

	if (e == 0)
		e = file_replace(p->path, text, n, 0640, FILE_DURABLE);
	if (e < 0) {
		fail_errno(&f, e, "%s", p->path);
		*p->etag = '\0';
		poll_fail(p, &f, 0);
		return;
	}
	p->callbacks.changed(p->callbacks.cookie);
	poll_succeed(p, has_waited);
}

static void
import_forget(struct goal_poll *p)
{
	json_release(&p->import);
	json_release(&p->beside);
	*p->missing = '\0';
}

/* The text of the import manifest NAME, if it was fetched; else it is noted as the one that is missing. */
static int
beside_load(const char *name, struct buf *text, struct fail *f, void *cookie)
{
	struct goal_poll *p = cookie;
	_cleanup_json_ struct json v = json_get(p->beside, name);

	if (json_kind(v) == JSON_NONE) {
		snprintf(p->missing, sizeof p->missing, "%s", name);
		return fail_set(f, EXIT_TROUBLE, "%s: was not fetched yet", name);
	}
	buf_reset(text);
	buf_add(text, json_get_string(v), json_string_len(v));
	return 0;
}

static void beside_done(const struct http_job_response *r, const struct fail *why, void *cookie);

/*
 * An import manifest becomes a goal as soon as the import manifests that it refers to
 * are here, too.  They have no ETag of their own that would be asked for, so it is not
 * asked for by its ETag either.
 */
static void
import_advance(struct goal_poll *p)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	const struct import_place place = { beside_load, p, p->before, p->after };
	const bool has_references = json_count(p->beside) > 0;
	_cleanup_free_ char *url = NULL;
	struct fail f;
	int r;

	*p->missing = '\0';
	p->may_be_held = false;
	r = import_goal(p->name, p->import, &place, &text, &f);
	if (r < 0 && *p->missing) {
		url = import_url(&place, p->missing);
		p->job = http_job_start(p->loop, &(struct http_job_request){ .url = url, .max = MANIFEST_MAX,
		    .timeout_ms = REFRESH_MS, .link = p->link }, beside_done, p);
		return;
	}
	import_forget(p);
	if (r < 0 || has_references)
		*p->etag = '\0';
	if (r < 0)
		poll_fail(p, &f, 0);
	else
		goal_keep(p, text.s, text.len, false);
}

static void
beside_done(const struct http_job_response *r, const struct fail *why, void *cookie)
{
	struct goal_poll *p = cookie;
	struct fail f;

	p->job = NULL;
	if (loop_is_shutting_down(p->loop))
		return;
	if (!why && r->status == 200) {
		json_set(&p->beside, p->missing, json_string_n(r->body, r->body_len));
		import_advance(p);
		return;
	}
	if (!why)
		fail_set(&f, EXIT_TROUBLE, "%s: '%s', which it refers to: HTTP %d", p->name, p->missing, r->status);
	import_forget(p);
	*p->etag = '\0';
	poll_fail(p, why ? why : &f, why ? 0 : r->retry_after_ms);
}

/* A new goal has come. */
static void
goal_receive(struct goal_poll *p, const struct http_job_response *r)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail f;

	memcpy(p->etag, r->etag, sizeof p->etag);
	/* what is no JSON is refused by the reader of the file, which says where */
	if (json_parse(p->name, r->body, r->body_len, &v, &f) < 0 || !import_is_manifest(v)) {
		goal_keep(p, r->body, r->body_len, r->has_waited);
		return;
	}
	if (import_check_deployable(p->name, v, &f) < 0) {
		*p->etag = '\0';
		poll_fail(p, &f, 0);
		return;
	}
	p->import = json_copy(v);
	p->beside = json_object();
	import_advance(p);
}

static void
poll_done(const struct http_job_response *r, const struct fail *why, void *cookie)
{
	struct goal_poll *p = cookie;
	struct fail f;

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
	} else {
		goal_receive(p, r);
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
	import_forget(p);
	p->may_be_held = may_wait;
	p->has_asked |= may_wait;
	p->job = http_job_start(p->loop, &(struct http_job_request){ .url = p->url, .headers = headers,
	    .max = MANIFEST_MAX, .timeout_ms = may_wait ? WAIT_S * 1000 + SLACK_MS : REFRESH_MS,
	    .may_idle = may_wait, .link = p->link },
	    poll_done, p);
}

/* URL, without a query, up to its last slash; to be freed. */
static char *
url_directory(const char *url)
{
	const char *host = strstr(url, "//") + 2, *slash = strrchr(host, '/');

	return slash ? xstrndup(url, (size_t)(slash + 1 - url)) : xasprintf("%s/", url);
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
	p->before = url_directory(p->name);
	p->after = xstrndup(url + strlen(p->name), strcspn(url + strlen(p->name), "#"));
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
	import_forget(p);
	free(p->before);
	free(p->after);
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
