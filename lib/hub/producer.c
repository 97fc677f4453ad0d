#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/xalloc.h"
#include "hub/hubdir.h"
#include "hub/producer.h"
#include "hub/submission.h"

enum { CALL_GRACE_MS = 2000 };

bool
producer_is_kind(const char *kind)
{
	static const char *const kinds[] = { "report", "state", "telemetry", "log" };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i], kind) == 0)
			return true;
	return false;
}

int
producer_value(const char *kind, const struct buf *b, struct json *out, struct fail *f)
{
	const bool strict = strcmp(kind, "telemetry") == 0 || strcmp(kind, "report") == 0 || strcmp(kind, "call") == 0;
	size_t len = b->len;

	if (strcmp(kind, "call") == 0 && len == 0) {
		*out = json_null();
		return 0;
	}
	if (strict)
		return json_parse("standard input", b->s, b->len, out, f);
	if (strcmp(kind, "answer") == 0 && json_parse(NULL, b->s, b->len, out, f) == 0)
		return 0;
	/* one line of a log is the line */
	if (strcmp(kind, "log") == 0 && len > 0 && b->s[len - 1] == '\n')
		len--;
	*out = dialect_text(b->s, len);
	return 0;
}

int
producer_read(const char *kind, int fd, struct json *out, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_MAX(DIALECT_PAYLOAD_MAX);
	ssize_t n;

	while ((n = io_read_buf(fd, &b)) > 0)
		;
	if (n == -EMSGSIZE)
		return fail_set(f, EXIT_USAGE, "standard input: a value has at most %d bytes", DIALECT_PAYLOAD_MAX);
	return n < 0 ? fail_errno(f, (int)n, "standard input") : producer_value(kind, &b, out, f);
}

/* The queue is full as far as the link has said. */
static int
room_check(const struct producer *p, struct fail *f)
{
	_cleanup_json_ struct json status = JSON_ABSENT, full = JSON_ABSENT;
	struct fail ignored;

	if (hubdir_status(p->dir, &status, &ignored) < 0)
		return 0;
	full = json_get(status, "full");
	if (json_kind(full) == JSON_TRUE) {
		int r = fail_set(f, EXIT_BUSY, "%s: the urgent queue is full", p->dir);

		fail_hint(f, "it empties when the hub confirms what is in it: rejoin-hub -A %s status", strrchr(p->dir, '/') + 1);
		return r;
	}
	return 0;
}

static int
result_await(const struct producer *p, const char *name, struct json *out, struct fail *f)
{
	_cleanup_json_ struct json status = JSON_ABSENT;
	const char *reason;
	int64_t n = EXIT_TROUBLE;
	int r = submission_wait(p->dir, name, p->timeout_ms, out, f);

	if (r < 0)
		return r;
	status = json_get(*out, "status");
	reason = json_get_text(*out, "reason");
	(void)json_get_whole(status, &n);
	if (n != EXIT_OK && n != EXIT_NO)
		return fail_set(f, (enum exit_status)n, "%s: %s", name, reason ? reason : "refused");
	return (int)n;
}

/* Submit TEXT; with WAIT its result. */
static int
text_submit(const struct producer *p, const char *kind, const struct buf *text, struct json *result, struct fail *f)
{
	const bool urgent = submission_is_urgent(kind);
	char name[SUBMISSION_NAME];
	int r = urgent ? room_check(p, f) : 0;

	if (r == 0)
		r = submission_send(p->dir, text->s, text->len, urgent, name, f);
	return r == 0 && p->wait ? result_await(p, name, result, f) : r;
}

/* {"kind","key","value","time","wait"} as a line; VALUE is taken. */
static int
line_add(const struct producer *p, const char *kind, const char *key, struct json value, struct json time, struct buf *out,
    struct fail *f)
{
	_cleanup_json_ struct json v = json_object();
	char now[CLOCK_TEXT];
	int r = submission_check_key(key, f);

	json_set_text(&v, "kind", kind);
	json_set_text(&v, "key", key);
	json_set(&v, "value", value);
	if (json_get_string(time))
		json_set(&v, "time", json_copy(time));
	else
		json_set_text(&v, "time", clock_now(now));
	if (p->wait)
		json_set(&v, "wait", json_bool(true));
	if (strcmp(kind, "call") == 0)
		json_set(&v, "timeout_ms", json_number((double)p->timeout_ms));
	else if (r == 0 && strcmp(kind, "answer") != 0)
		r = dialect_check(p->dialect, v, f);
	if (r < 0)
		return r;
	json_format(v, out);
	return buf_putc(out, '\n');
}

static int
value_submit(const struct producer *p, const char *kind, const char *key, struct json value, struct json *result, struct fail *f)
{
	_cleanup_buf_ struct buf line = BUF_INIT;
	int r = line_add(p, kind, key, value, JSON_ABSENT, &line, f);

	return r < 0 ? r : text_submit(p, kind, &line, result, f);
}

int
producer_send(const struct producer *p, const char *kind, const char *key, struct json value, struct fail *f)
{
	_cleanup_json_ struct json result = JSON_ABSENT;

	return value_submit(p, kind, key, value, &result, f);
}

int
producer_call(const struct producer *p, const char *method, struct json params, struct json *response, struct fail *f)
{
	_cleanup_json_ struct json result = JSON_ABSENT;
	_cleanup_buf_ struct buf line = BUF_INIT;
	struct producer with = *p;
	int r;

	with.wait = true;
	r = line_add(&with, "call", method, params, JSON_ABSENT, &line, f);
	with.timeout_ms += CALL_GRACE_MS;	/* the link gives up first, and says why */
	if (r == 0)
		r = text_submit(&with, "call", &line, &result, f);
	if (r >= 0)
		*response = json_get(result, "response");
	return r;
}

/* --- records a line each */

static int
line_read(const struct producer *p, const char *kind, const char *line, size_t len, struct buf *out, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT, time = JSON_ABSENT;
	const char *key;
	int r = json_parse("standard input", line, len, &v, f);

	if (r < 0)
		return r;
	key = json_get_text(v, "key");
	if (!key)
		return fail_set(f, EXIT_USAGE, "standard input: a line without a \"key\"");
	time = json_get(v, "time");
	return line_add(p, kind, key, json_get(v, "value"), time, out, f);
}

/* What was read is one submission; lines that are wrong are left out of it. */
static int
batch_send(const struct producer *p, const char *kind, struct lines *in, void (*wrong)(const struct fail *f))
{
	_cleanup_buf_ struct buf batch = BUF_INIT;
	_cleanup_json_ struct json result = JSON_ABSENT;
	const char *line;
	int status = EXIT_OK, r;
	struct fail f;
	size_t len;

	while (lines_next(in, &line, &len)) {
		if (len == 0 || line_read(p, kind, line, len, &batch, &f) == 0)
			continue;
		wrong(&f);
		status = EXIT_USAGE;
	}
	if (batch.len == 0)
		return status;
	r = text_submit(p, kind, &batch, &result, &f);
	if (r < 0)
		wrong(&f);
	return r < 0 ? (int)f.status : r > 0 ? r : status;
}

int
producer_send_lines(const struct producer *p, const char *kind, int fd, void (*wrong)(const struct fail *f), struct fail *f)
{
	struct lines *in = xcalloc(1, sizeof *in);
	int status = EXIT_OK;

	while (!in->at_end && status <= EXIT_USAGE) {
		ssize_t n = lines_read(in, fd);
		int r;

		if (n < 0) {
			free(in);
			return fail_errno(f, (int)n, "standard input");
		}
		r = batch_send(p, kind, in, wrong);
		status = r != EXIT_OK ? r : status;
	}
	free(in);
	return status;
}
