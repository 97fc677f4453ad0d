#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/http_run.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "imp/client.h"

enum { REQUEST_MS = 30000, TOO_SOON_MAX = 5, WAIT_MIN_MS = 1000, WAIT_MAX_MS = 60000, ID_MAX = 64 };

struct imp {
	const struct imp_account *account;
	struct secret key, token;
	int64_t end_ms;
	int status;
};

int
imp_open(const struct imp_account *a, struct imp **out, struct fail *f)
{
	struct imp *i;
	int r;

	secret_guard();
	i = xcalloc(1, sizeof *i);
	i->account = a;
	r = secret_load(a->key_file, &i->key, f);
	if (r == -ENOENT)
		f->status = EXIT_USAGE;		/* waiting does not make a key */
	if (r < 0) {
		imp_close(i);
		return r;
	}
	*out = i;
	return 0;
}

void
imp_close(struct imp *i)
{
	if (!i)
		return;
	secret_release(&i->key);
	secret_release(&i->token);
	free(i);
}

void
imp_deadline(struct imp *i, int64_t end_ms)
{
	i->end_ms = end_ms;
}

int
imp_status(const struct imp *i)
{
	return i->status;
}

const char *
imp_url(const struct imp *i)
{
	return i->account->url;
}

const char *
imp_ca_file(const struct imp *i)
{
	return i->account->ca_file;
}

bool
imp_is_device(const char *id)
{
	size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_-");

	return n && n <= ID_MAX && !id[n];
}

static int64_t
time_left(const struct imp *i)
{
	int64_t left = i->end_ms ? i->end_ms - clock_mono_ms() : REQUEST_MS;

	return left < 0 ? 0 : left < REQUEST_MS ? left : REQUEST_MS;
}

/* "title: detail" of the first errors that TEXT lists; nothing where it is not of that form. */
static void
add_errors(const struct buf *text, struct buf *out)
{
	_cleanup_json_ struct json all = JSON_ABSENT, errors = JSON_ABSENT;
	struct fail f;

	if (text->len == 0 || json_parse(NULL, text->s, text->len, &all, &f) < 0)
		return;
	errors = json_get(all, "errors");
	for (size_t k = 0; k < json_count(errors) && k < 3; k++) {
		_cleanup_json_ struct json e = json_at(errors, k);
		const char *title = json_get_text(e, "title"), *detail = json_get_text(e, "detail");

		if (title || detail)
			buf_printf(out, "%s%.100s%s%.200s", k ? "; " : ": ", title ? title : "",
			    title && detail ? ": " : "", detail ? detail : "");
	}
}

/* What an answer that is not 2xx means. */
static int
check_response(const struct http_response *r, const char *name, struct fail *f)
{
	_cleanup_buf_ struct buf why = BUF_INIT;
	struct fail plain;
	int e = http_response_check(r, name, &plain);

	if (e == 0)
		return 0;
	add_errors(&r->body, &why);
	return fail_set(f, plain.status, "%s%s", plain.text, why.s);
}

/* How long the server wants to be left alone. */
static int64_t
wait_ms(const struct http_response *r)
{
	const char *reset = http_response_header(r, "X-RateLimit-Reset");
	int64_t ms = 0;
	uint32_t jitter = 0;

	if (!reset)
		reset = http_response_header(r, "Retry-After");
	if (reset && num_parse(reset, 0, INT32_MAX, &ms) == 0 && ms < 100)
		ms *= 1000;
	ms = ms < WAIT_MIN_MS ? WAIT_MIN_MS : ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms;
	/* others were told the same: they shall not all come back at once */
	if (getrandom(&jitter, sizeof jitter, GRND_NONBLOCK) != (ssize_t)sizeof jitter)
		jitter = 0;
	return ms + (int64_t)(jitter % 256) * ms / 1024;
}

/* One request, made again while the server wants to be left alone for a while. */
static int
api_request(struct imp *i, struct http_request *q, struct http_response *r, struct fail *f)
{
	int e;

	q->ca_file = i->account->ca_file;
	q->secret = true;
	for (int tries = 1;; tries++) {
		int64_t pause;

		i->status = 0;
		q->timeout_ms = time_left(i);
		if (!q->timeout_ms) {
			*r = (struct http_response){ .body = BUF_INIT, .headers = BUF_INIT };
			return fail_set(f, EXIT_TIMEOUT, "%s: no time is left", q->name);
		}
		e = http_run(q, r, NULL, f);
		i->status = r->status;
		if (e < 0 || r->status != 429)
			return e;
		pause = wait_ms(r);
		if (tries >= TOO_SOON_MAX || (i->end_ms && clock_mono_ms() + pause > i->end_ms))
			return 0;
		http_response_release(r);
		clock_sleep_ms(pause);
	}
}

static int
take_token(struct imp *i, const struct http_response *r, const char *name, struct fail *f)
{
	_cleanup_json_ struct json answer = JSON_ABSENT;
	const char *token;

	if (json_parse(name, r->body.s, r->body.len, &answer, f) < 0 ||
	    !(token = json_get_text(answer, "access_token")) || !*token || strlen(token) > SECRET_MAX)
		return fail_set(f, EXIT_TROUBLE, "%s: answers without an access token", name);
	secret_set(&i->token, token, strlen(token));
	json_wipe(answer, "access_token");
	json_wipe(answer, "refresh_token");
	return 0;
}

/* Exchange the login key for an access token. */
static int
log_in(struct imp *i, struct fail *f)
{
	_cleanup_free_ char *url = xasprintf("%s/auth/token", i->account->url);
	struct json key = json_object();
	struct buf body = BUF_INIT, name = BUF_INIT;
	struct http_response r;
	int e;

	http_name(url, &name);
	json_set_text(&key, "key", i->key.s);
	json_format(key, &body);
	json_wipe(key, "key");
	json_release(&key);
	e = api_request(i, &(struct http_request){ .url = url, .name = name.s, .body = body.s, .body_len = body.len,
	    .headers = (const char *const[]){ "Content-Type: application/json", NULL } }, &r, f);
	if (e == 0)
		e = check_response(&r, name.s, f);
	if (e == 0)
		e = take_token(i, &r, name.s, f);
	http_response_release(&r);
	secret_wipe(&body);
	buf_release(&name);
	return e;
}

/* The id of a log stream opens it: it is not for messages. */
static void
name_request(const char *url, struct buf *out)
{
	const char *stream = strstr(url, "/logstream/");
	struct buf part = BUF_INIT;

	buf_add(&part, url, stream ? (size_t)(stream - url) + strlen("/logstream") : strlen(url));
	http_name(part.s, out);
	buf_release(&part);
}

static int
take_answer(const struct http_response *r, const char *name, struct json *answer, struct fail *f)
{
	int e = check_response(r, name, f);

	if (e < 0 || !answer || r->body.len == 0)
		return e;
	e = json_parse(name, r->body.s, r->body.len, answer, f);
	if (e < 0)
		f->status = EXIT_TROUBLE;
	return e;
}

int
imp_request(struct imp *i, const char *method, const char *path, const char *body, struct json *answer,
    struct fail *f)
{
	_cleanup_free_ char *url = xasprintf("%s%s", i->account->url, path);
	_cleanup_buf_ struct buf name = BUF_INIT;
	struct http_request q = { .url = url, .method = method, .body = body, .body_len = body ? strlen(body) : 0,
	    .token = &i->token, .headers = (const char *const[]){ "Content-Type: application/vnd.api+json", NULL } };
	struct http_response r = { .body = BUF_INIT, .headers = BUF_INIT };
	bool fresh = false;
	int e = 0;

	if (answer)
		*answer = JSON_ABSENT;
	name_request(url, &name);
	q.name = name.s;
	for (;;) {
		if (!i->token.s) {
			e = log_in(i, f);
			if (e < 0)
				return e;
			fresh = true;
		}
		e = api_request(i, &q, &r, f);
		if (e < 0 || r.status != 401 || fresh)
			break;
		secret_release(&i->token);	/* it has run out: once more, with a new one */
		http_response_release(&r);
	}
	if (e == 0)
		e = take_answer(&r, name.s, answer, f);
	http_response_release(&r);
	return e;
}
