/*
 * rejoin-agent-http - make one HTTP request for rejoin-agent, which links no HTTP library.
 *
 * The request comes on stdin, the response goes to stdout: deploy/http_job.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/http_helper.h"
#include "base/http_run.h"
#include "base/io.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/writeback.h"
#include "base/xalloc.h"

enum { REQUEST_MAX = 16 << 20, TELL_MS = 200 };

/* The file that a body goes to. */
struct download {
	int fd;
	int64_t from;		/* its length at first */
	int64_t length, max, told_ms;
	struct writeback written;
	const char *fault;	/* what kept the body from the file: a word of deploy/http_job.h; or NULL */
	int error;		/* of a write, with the fault "disk" */
};

/* V and a newline to stdout; a reader that is gone ends us. */
static void
print_line(struct json v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_format(v, &b);
	buf_putc(&b, '\n');
	if (io_write_all(STDOUT_FILENO, b.s, b.len) < 0)
		_exit(EXIT_TROUBLE);
}

static void
tell_progress(struct download *d)
{
	_cleanup_json_ struct json v = json_object();
	const int64_t now = clock_mono_ms();

	if (now - d->told_ms < TELL_MS)
		return;
	d->told_ms = now;
	json_set(&v, "got", json_number((double)d->length));
	print_line(v);
}

static int
body_refuse(struct download *d, const char *fault, int error)
{
	d->fault = fault;
	d->error = error;
	return -EIO;
}

/* A server that sends the whole sends it from the beginning. */
static int
body_begin(const struct http_response *r, struct download *d)
{
	const int64_t start = r->status == 206 ? http_response_range(r) : 0;

	if (start < 0 || start > d->length)
		return body_refuse(d, "range", 0);
	if (ftruncate(d->fd, start) < 0 || lseek(d->fd, start, SEEK_SET) < 0)
		return body_refuse(d, "disk", errno);
	d->length = start;
	d->written = (struct writeback)WRITEBACK_FROM(start);
	return 0;
}

static int
on_chunk(const struct http_response *r, const char *p, size_t n, void *cookie)
{
	struct download *d = cookie;
	int e;

	if (n == 0)
		return body_begin(r, d);
	if (d->max && d->length + (int64_t)n > d->max)
		return body_refuse(d, "length", 0);
	e = io_write_all(d->fd, p, n);
	if (e < 0)
		return body_refuse(d, "disk", -e);
	d->length += (int64_t)n;
	tell_progress(d);
	e = writeback_add(&d->written, d->fd, n);
	return e < 0 ? body_refuse(d, "disk", -e) : 0;
}

static int
download_open(const char *path, int64_t max, struct download *d, struct fail *f)
{
	struct stat st;

	d->fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0 || fstat(d->fd, &st) < 0)
		return fail_errno(f, errno, "%s", path);
	d->from = d->length = st.st_size;
	d->max = max;
	return 0;
}

static void
print_response(const struct http_response *r, const struct download *d)
{
	_cleanup_json_ struct json v = json_object();
	const char *etag = http_response_header(r, "ETag");
	const char *applied = http_response_header(r, "Preference-Applied");

	json_set(&v, "status", json_number(r->status));
	if (etag)
		json_set_text(&v, "etag", etag);
	if (applied && strncasecmp(applied, "wait", 4) == 0)
		json_set(&v, "wait", json_bool(true));
	if (r->retry_after_s > 0)
		json_set(&v, "retryAfter", json_number((double)r->retry_after_s));
	if (d->fd >= 0)
		json_set(&v, "length", json_number((double)d->length));
	print_line(v);
	if (io_write_all(STDOUT_FILENO, r->body.s, r->body.len) < 0)
		_exit(EXIT_TROUBLE);
}

/* libcurl knows only that the body was not taken. */
static int
explain_fault(const struct download *d, const char *url, const char *path, struct fail *f)
{
	_cleanup_buf_ struct buf name = BUF_INIT;

	if (d->error)
		return fail_errno(f, d->error, "%s", path);
	http_name(url, &name);
	return *d->fault == 'l' ?
	    fail_set(f, EXIT_DENIED, "%s: sends more than the %jd bytes of the file", name.s, (intmax_t)d->max) :
	    fail_set(f, EXIT_TROUBLE, "%s: sends another range than the one that was asked for", name.s);
}

static int
request_run(struct json v, const char **fault, struct fail *f)
{
	const char *url = json_get_text(v, "url"), *into = json_get_text(v, "into");
	const char *token_file = json_get_text(v, "tokenFile"), *body = json_get_text(v, "body");
	_cleanup_secret_ struct secret token = SECRET_NONE;
	_cleanup_free_ char *range = NULL;
	_cleanup_free_ const char **headers = NULL;
	struct download d = { .fd = -1 };
	struct http_response r;
	int e = url ? 0 : fail_set(f, EXIT_USAGE, "a request needs a url");

	if (e == 0 && into)
		e = download_open(into, json_get_positive(v, "max"), &d, f);
	if (e == 0 && token_file) {
		secret_guard();
		e = secret_load(token_file, &token, f);
	}
	if (e < 0)
		return e;
	if (d.from > 0)
		range = xasprintf("Range: bytes=%jd-", (intmax_t)d.from);
	headers = http_helper_headers(v, range);
	e = http_run(&(struct http_request){
	    .url = url, .method = json_get_text(v, "method"), .headers = headers,
	    .token = token_file ? &token : NULL, .body = body, .body_len = body ? strlen(body) : 0,
	    .ca_file = json_get_text(v, "caFile"), .cert_file = json_get_text(v, "certFile"),
	    .key_file = json_get_text(v, "keyFile"), .proxy = json_get_text(v, "proxy"),
	    .timeout_ms = json_get_positive(v, "timeout"), .idle_ms = json_get_positive(v, "idle"), .max = (size_t)json_get_positive(v, "max"),
	    .chunk = into ? on_chunk : NULL }, &r, &d, f);
	if (e == 0)
		print_response(&r, &d);
	else if (d.fault)
		e = explain_fault(&d, url, into, f);
	*fault = d.fault;
	http_response_release(&r);
	io_closep(&d.fd);
	return e;
}

int
main(int argc, char *argv[])
{
	_cleanup_json_ struct json request = JSON_ABSENT;
	const char *fault = NULL;
	struct fail f;
	int e;

	(void)argc;
	http_helper_begin(argv);
	e = http_helper_read(REQUEST_MAX, &request, &f);
	if (e == 0)
		e = request_run(request, &fault, &f);
	if (e < 0) {
		_cleanup_json_ struct json v = json_object();

		json_set_text(&v, "error", f.text);
		if (fault)
			json_set_text(&v, "fault", fault);
		print_line(v);
	}
	return e < 0 ? f.status : EXIT_OK;
}
