#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "deploy/http_job.h"

enum { GRACE_MS = 500, BODY_MAX = 1 << 20, HEAD_MAX = 4096, WELL_MS = 30000, RETRY_AFTER_MAX = 86400 };

struct http_job {
	struct spawn *spawn;
	http_job_done *done;
	void *cookie;
};

static void
set_number(struct json *v, const char *key, int64_t n)
{
	if (n > 0)
		json_set(v, key, json_number((double)n));
}

static void
set_text(struct json *v, const char *key, const char *text)
{
	if (text)
		json_set_text(v, key, text);
}

struct json
http_job_format(const struct http_job_request *q)
{
	struct json v = json_object(), headers = json_array();

	for (const char *const *h = q->headers; h && *h; h++)
		json_append(&headers, json_string(*h));
	json_set_text(&v, "url", q->url);
	set_text(&v, "method", q->method);
	json_set(&v, "headers", headers);
	set_text(&v, "body", q->body);
	set_text(&v, "into", q->into);
	set_number(&v, "max", q->max);
	set_number(&v, "timeout", q->timeout_ms);
	if (q->link) {
		set_number(&v, "idle", q->may_idle ? 0 : q->link->idle_ms);
		set_text(&v, "caFile", q->link->ca_file);
		set_text(&v, "certFile", q->link->cert_file);
		set_text(&v, "keyFile", q->link->key_file);
		set_text(&v, "tokenFile", q->link->token_file);
		set_text(&v, "proxy", q->link->proxy);
	}
	return v;
}

/* Visible characters, as RFC 9110 has them, section 8.8.3: it comes back to the server in a header. */
static bool
is_etag(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

static enum http_job_fault
parse_fault(const char *word)
{
	return !word ? HTTP_JOB_NO_FAULT : strcmp(word, "disk") == 0 ? HTTP_JOB_DISK :
	    strcmp(word, "range") == 0 ? HTTP_JOB_RANGE : strcmp(word, "length") == 0 ? HTTP_JOB_LENGTH :
	    HTTP_JOB_NO_FAULT;
}

/* One line of what the program says; true where it is the last one. */
static bool
line_parse(struct json v, struct http_job_response *r)
{
	_cleanup_json_ struct json wait = json_get(v, "wait");
	const char *etag = json_get_text(v, "etag");
	int64_t status = json_get_whole_or(v, "status", 0), after = json_get_whole_or(v, "retryAfter", -1);

	if (status < 100 || status > 999)
		return false;
	r->status = (int)status;
	if (etag && strlen(etag) < sizeof r->etag && is_etag(etag))
		memcpy(r->etag, etag, strlen(etag) + 1);
	r->has_waited = json_kind(wait) == JSON_TRUE;
	r->retry_after_ms = after < 0 ? -1 : (after < RETRY_AFTER_MAX ? after : RETRY_AFTER_MAX) * 1000;
	r->length = json_get_whole_or(v, "length", 0);
	return true;
}

int
http_job_parse(const char *out, size_t n, struct http_job_response *r, struct fail *f)
{
	*r = (struct http_job_response){ .retry_after_ms = -1 };
	while (n > 0) {
		const char *newline = memchr(out, '\n', n);
		size_t len = newline ? (size_t)(newline - out) : n;
		_cleanup_json_ struct json v = JSON_ABSENT;
		const char *error;

		if (!newline || json_parse(NULL, out, len, &v, f) < 0)
			break;
		out += len + 1;
		n -= len + 1;
		error = json_get_text(v, "error");
		if (error) {
			r->fault = parse_fault(json_get_text(v, "fault"));
			return fail_set(f, EXIT_TROUBLE, "%s", error);
		}
		if (!line_parse(v, r))
			continue;
		r->body = out;
		r->body_len = n;
		return 0;
	}
	return fail_set(f, EXIT_TROUBLE, "rejoin-agent-http: ended without a response");
}

char *
http_job_program(void)
{
	return dirs_helper("rejoin-agent-http");
}

static void
http_job_ended(const struct spawn_result *s, void *cookie)
{
	struct http_job *x = cookie;
	struct http_job_response r;
	struct fail f;
	int e = http_job_parse(s->out.s, s->out.len, &r, &f);

	if (e < 0 && s->status > EXIT_OK && s->status <= EXIT_DENIED)
		f.status = (enum exit_status)s->status;
	if (e < 0 && !s->out.len) {
		_cleanup_buf_ struct buf how = BUF_INIT;

		spawn_describe(s, &how);
		e = fail_set(&f, s->timed_out ? EXIT_TIMEOUT : EXIT_TROUBLE, "rejoin-agent-http: %s", how.s);
	}
	if (e == 0 && s->out_lost)
		e = fail_set(&f, EXIT_TROUBLE, "the response is too long");
	x->done(&r, e < 0 ? &f : NULL, x->cookie);
	free(x);
}

struct http_job *
http_job_start(struct loop *l, const struct http_job_request *q, http_job_done *done, void *cookie)
{
	struct http_job *x = xcalloc(1, sizeof *x);
	_cleanup_free_ char *program = http_job_program();
	_cleanup_json_ struct json v = http_job_format(q);
	_cleanup_buf_ struct buf text = BUF_INIT;
	const struct spawn_spec spec = {
		.argv = (char *const[]){ program, NULL }, .err_inherit = true, .grace_ms = GRACE_MS,
		.timeout_ms = q->timeout_ms ? q->timeout_ms + GRACE_MS : 0,
		.out_max = (size_t)(q->max ? q->max : BODY_MAX) + HEAD_MAX,
		.in = (json_format(v, &text), text.s), .in_len = text.len,
	};

	*x = (struct http_job){ .done = done, .cookie = cookie };
	x->spawn = spawn_start(l, &spec, http_job_ended, x);
	return x;
}

void
http_job_kill(struct http_job *x)
{
	if (!x)
		return;
	spawn_kill(x->spawn);
	free(x);
}

int64_t
http_job_random(int64_t n)
{
	uint64_t v = 0;

	if (getrandom(&v, sizeof v, GRND_NONBLOCK) != (ssize_t)sizeof v)
		v = (uint64_t)clock_mono_ms() * 2654435761U;	/* before there is entropy: any number will do */
	return n > 0 ? (int64_t)(v % (uint64_t)n) : 0;
}

int64_t
http_job_backoff_next(struct http_job_backoff *b)
{
	static const int64_t most[] = { 1000, 3000, 6000, 10000, 20000, 40000, 60000 };
	const unsigned last = sizeof most / sizeof *most - 1;
	const unsigned i = b->failures < last ? b->failures : last;

	b->failures++;
	b->well_since_ms = 0;
	return 1 + http_job_random(most[i]);
}

void
http_job_backoff_succeed(struct http_job_backoff *b)
{
	const int64_t now = clock_mono_ms();

	if (!b->well_since_ms)
		b->well_since_ms = now;
	else if (now - b->well_since_ms >= WELL_MS)
		b->failures = 0;
}
