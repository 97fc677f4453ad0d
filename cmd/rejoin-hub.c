/*
 * rejoin-hub - the link to a hub over an MQTT broker.
 *
 * `run` is the link, the one process that knows the broker and its credentials.  The
 * other words submit records to its directory, and read what came from the hub.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/io.h"
#include "base/json.h"
#include "base/lines.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "hub/dialects.h"
#include "hub/hub.h"
#include "hub/hubdir.h"
#include "hub/reader.h"
#include "hub/submission.h"

enum { KEY_LINES = OPT_OWN, KEY_STATUS };

static const struct opt opts[] = {
	OPT_AGENT,
	{ 'f', "follow", NULL, "config, calls: keep printing changes" },
	OPT_JSON,
	{ KEY_LINES, "lines", NULL, "send: read records from standard input, one object a line" },
	{ KEY_STATUS, "status", "WORD", "answer: how the call ended", .choices = "ok error not-found", .preset = "ok" },
	OPT_TIMEOUT("give up waiting after DUR", "30s"),
	OPT_WAIT("send: wait until the record is confirmed"),
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "the link to a hub over an MQTT broker",
	.synopsis = "[-A NAME] run\n"
	    "[-A NAME] send KIND KEY [--wait] [--timeout DUR]\n"
	    "[-A NAME] send KIND --lines [--wait] [--timeout DUR]\n"
	    "[-A NAME] config [-f] [INSTANCE]\n[-A NAME] calls [-f] [INSTANCE]\n"
	    "[-A NAME] answer ID [--status WORD] [--wait]\n[-A NAME] call METHOD [--timeout DUR]\n[-A NAME] status [--json]",
	.opts = opts,
	.operands = OPT_TEXTS,
	.words = "run send config calls answer call status",
	.statuses = "0 done, or submitted; 1 the other side refused; 2 usage, or a wrong value; 3 trouble; 4 not confirmed in time; "
	    "5 no link is running; 6 the queue is full, or another link is running; 7 denied",
	.example = "echo 21.5 | rejoin-hub send telemetry room/temperature --wait",
};

enum { VALUE_MAX = 1 << 20, BATCH_MAX = 256 << 10 };

struct hub_options {
	bool follow, json, lines, wait;
	int64_t timeout_ms;
	const char *status;
	char **operands;
	int n_operands;
	struct profile *profile;
	char *dir;
};

static int
print_record(struct json record, void *cookie)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	(void)cookie;
	json_format(record, &b);
	json_sanitize(STDOUT_FILENO, &b);
	buf_putc(&b, '\n');
	r = fwrite(b.s, 1, b.len, stdout) == b.len && fflush(stdout) == 0 ? 0 : -errno;
	return r;
}

static void
on_log(const char *text, bool verbose, void *cookie)
{
	(void)cookie;
	if (verbose)
		diag_note("%s", text);
	else
		diag_info("%s", text);
}

static int
run_link(struct hub_options *o, struct fail *f)
{
	const struct hub_spec spec = { .profile = o->profile, .log = on_log };

	if (geteuid() == 0)
		diag_info("runs as root: a user of its own, such as rejoin-hub, is enough");
	return hub_run(&spec, f);
}

/* --- submitting */

static int
read_value(struct buf *b, struct fail *f)
{
	ssize_t n;

	b->max = VALUE_MAX;
	while ((n = io_read_buf(STDIN_FILENO, b)) > 0)
		;
	if (n == -EMSGSIZE)
		return fail_set(f, EXIT_USAGE, "standard input: a value has at most %d bytes", VALUE_MAX);
	return n < 0 ? fail_errno(f, (int)n, "standard input") : 0;
}

/* Telemetry, reports and calls are JSON; states, logs and answers are JSON or any bytes. */
static int
value_of(const char *kind, const struct buf *b, struct json *out, struct fail *f)
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

/* The queue is full as far as the link has said. */
static int
check_room(const struct hub_options *o, struct fail *f)
{
	_cleanup_json_ struct json status = JSON_ABSENT, full = JSON_ABSENT;
	struct fail ignored;

	if (hubdir_status(o->dir, &status, &ignored) < 0)
		return 0;
	full = json_get(status, "full");
	if (json_kind(full) == JSON_TRUE) {
		fail_set(f, EXIT_BUSY, "%s: the urgent queue is full", o->dir);
		fail_hint(f, "it empties when the hub confirms what is in it: rejoin-hub -A %s status", o->profile->name);
		return -EBUSY;
	}
	return 0;
}

/* The exit status that the result of NAME means. */
static int
wait_result(const struct hub_options *o, const char *name, struct json *out, struct fail *f)
{
	_cleanup_json_ struct json status = JSON_ABSENT;
	const char *reason;
	int64_t n = EXIT_TROUBLE;

	if (submission_wait(o->dir, name, o->timeout_ms, out, f) < 0)
		return f->status;
	status = json_get(*out, "status");
	reason = json_get_text(*out, "reason");
	(void)json_get_whole(status, &n);
	if (n != EXIT_OK && n != EXIT_NO)
		fail_set(f, (enum exit_status)n, "%s: %s", name, reason ? reason : "refused");
	return (int)n;
}

/* Submit TEXT; with WAIT its result. */
static int
submit(const struct hub_options *o, const char *kind, const struct buf *text, struct json *result, struct fail *f)
{
	char name[SUBMISSION_NAME];
	int r;

	if (submission_is_urgent(kind) && check_room(o, f) < 0)
		return f->status;
	if (submission_send(o->dir, text->s, text->len, submission_is_urgent(kind), name, f) < 0)
		return f->status;
	if (!o->wait)
		return EXIT_OK;
	r = wait_result(o, name, result, f);
	return r;
}

/* {"kind","key","value","time","wait"} as a line; VALUE is taken. */
static int
line_add(const struct hub_options *o, const char *kind, const char *key, struct json value, struct json time, struct buf *out,
    struct fail *f)
{
	const struct dialect *d = dialects_find(o->profile->hub.dialect);
	_cleanup_json_ struct json v = json_object();
	char now[CLOCK_TEXT];

	json_set_text(&v, "kind", kind);
	json_set_text(&v, "key", key);
	json_set(&v, "value", value);
	if (json_get_string(time))
		json_set(&v, "time", json_copy(time));
	else
		json_set_text(&v, "time", clock_now(now));
	if (o->wait)
		json_set(&v, "wait", json_bool(true));
	if (strcmp(kind, "call") == 0)
		json_set(&v, "timeout_ms", json_number((double)o->timeout_ms));
	else if (strcmp(kind, "answer") != 0 && dialect_check(d, v, f) < 0)
		return -EINVAL;
	json_format(v, out);
	return buf_putc(out, '\n');
}

static bool
is_kind(const char *kind)
{
	static const char *const kinds[] = { "report", "state", "telemetry", "log" };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i], kind) == 0)
			return true;
	return false;
}

/* One line of --lines. */
static int
line_read(const struct hub_options *o, const char *kind, const char *line, size_t len, struct buf *out, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT, time = JSON_ABSENT;
	const char *key;

	if (json_parse("standard input", line, len, &v, f) < 0)
		return -EINVAL;
	key = json_get_text(v, "key");
	if (!key)
		return fail_set(f, EXIT_USAGE, "standard input: a line without a \"key\"");
	time = json_get(v, "time");
	return line_add(o, kind, key, json_get(v, "value"), time, out, f);
}

/* As lines come: what is there is one submission. */
static int
send_lines(const struct hub_options *o, const char *kind, struct fail *f)
{
	struct lines *in = xcalloc(1, sizeof *in);
	_cleanup_buf_ struct buf batch = BUF_INIT;
	struct fail wrong;
	int status = EXIT_OK;

	while (!in->at_end && (status == EXIT_OK || status == EXIT_NO || status == EXIT_USAGE)) {
		ssize_t n = lines_read(in, STDIN_FILENO);
		const char *line;
		size_t len;

		if (n < 0) {
			free(in);
			return fail_errno(f, (int)n, "standard input");
		}
		buf_reset(&batch);
		while (lines_next(in, &line, &len)) {
			if (len == 0 || line_read(o, kind, line, len, &batch, &wrong) == 0)
				continue;
			fail_tell(&wrong, NULL);	/* the other lines are sent */
			status = EXIT_USAGE;
		}
		if (batch.len > 0) {
			_cleanup_json_ struct json result = JSON_ABSENT;
			int r = submit(o, kind, &batch, &result, f);

			if (r != EXIT_OK)
				status = r;
			if (r > EXIT_USAGE)
				fail_tell(f, NULL);
		}
	}
	free(in);
	return status;
}

static int
send_one(const struct hub_options *o, const char *kind, const char *key, struct fail *f)
{
	_cleanup_buf_ struct buf value = BUF_INIT, line = BUF_INIT;
	_cleanup_json_ struct json result = JSON_ABSENT;
	struct json v = JSON_ABSENT;
	int r = read_value(&value, f);

	if (r == 0)
		r = value_of(kind, &value, &v, f);
	if (r == 0)
		r = line_add(o, kind, key, v, JSON_ABSENT, &line, f);
	if (r < 0)
		return r;
	r = submit(o, kind, &line, &result, f);
	if (r > EXIT_NO)
		fail_tell(f, NULL);
	return r;
}

static int
send_records(struct hub_options *o, struct fail *f)
{
	const char *kind = o->n_operands > 1 ? o->operands[1] : NULL;

	if (!kind)
		opt_misused_hint("kinds: report, state, telemetry, log", "send: the kind is missing");
	if (!is_kind(kind))
		opt_misused_hint("kinds: report, state, telemetry, log", "send: unknown kind: '%s'", kind);
	if (o->lines ? o->n_operands > 2 : o->n_operands != 3)
		opt_misused(o->lines || o->n_operands > 3 ? "unexpected operand: '%s'" : "send %s: the key is missing",
		    o->lines ? o->operands[2] : o->n_operands > 3 ? o->operands[3] : kind);
	if (o->wait && hubdir_check_running(o->dir, f) < 0)
		return -ENXIO;
	return o->lines ? send_lines(o, kind, f) : send_one(o, kind, o->operands[2], f);
}

static int
answer(struct hub_options *o, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT, line = BUF_INIT;
	_cleanup_json_ struct json result = JSON_ABSENT;
	struct json v = json_object(), response = JSON_ABSENT;
	int r;

	if (o->n_operands != 2)
		opt_misused("answer: one operand, the call's id");
	r = read_value(&text, f);
	if (r == 0)
		r = value_of("answer", &text, &response, f);
	json_set_text(&v, "status", o->status);
	json_set(&v, "response", response);
	if (r == 0)
		r = line_add(o, "answer", o->operands[1], v, JSON_ABSENT, &line, f);
	else
		json_release(&v);
	if (r < 0)
		return r;
	r = submit(o, "answer", &line, &result, f);
	if (r > EXIT_NO)
		fail_tell(f, NULL);
	return r;
}

static int
call(struct hub_options *o, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT, line = BUF_INIT;
	_cleanup_json_ struct json result = JSON_ABSENT, response = JSON_ABSENT;
	struct json params = JSON_ABSENT;
	struct hub_options with = *o;
	int r;

	if (o->n_operands != 2)
		opt_misused("call: one operand, the method");
	r = hubdir_check_running(o->dir, f);
	if (r == 0)
		r = read_value(&text, f);
	if (r == 0)
		r = value_of("call", &text, &params, f);
	with.wait = true;
	if (r == 0)
		r = line_add(&with, "call", o->operands[1], params, JSON_ABSENT, &line, f);
	if (r < 0)
		return r;
	with.timeout_ms += 2000;	/* the link gives up first, and says why */
	r = submit(&with, "call", &line, &result, f);
	if (r > EXIT_NO) {
		fail_tell(f, NULL);
		return r;
	}
	response = json_get(result, "response");
	json_print(response);
	return r;
}

/* --- reading */

static const char *
instance_operand(const struct hub_options *o)
{
	if (o->n_operands > 2)
		opt_misused("unexpected operand: '%s'", o->operands[2]);
	return o->operands[1];
}

static void
print_queue(struct json status, const char *name)
{
	_cleanup_json_ struct json q = json_get(status, name), records = json_get(q, "records"), bytes = json_get(q, "bytes");
	_cleanup_json_ struct json max = json_get(q, "max"), dropped = json_get(q, "dropped");

	printf("%s: %.0f records, %.0f of %.0f bytes, %.0f dropped\n", name, json_get_number(records), json_get_number(bytes),
	    json_get_number(max), json_get_number(dropped));
}

static int
status(struct hub_options *o, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT, running = JSON_ABSENT, denied = JSON_ABSENT;
	const char *reason;

	if (o->n_operands > 1)
		opt_misused("unexpected operand: '%s'", o->operands[1]);
	if (hubdir_status(o->dir, &v, f) < 0)
		return -ENXIO;
	running = json_get(v, "running");
	denied = json_get(v, "denied");
	if (o->json) {
		json_print(v);
	} else {
		reason = json_get_text(v, "reason");
		printf("%s: %s%s%s\n", json_get_text(v, "broker"), json_kind(running) == JSON_TRUE ? json_get_text(v, "state") : "no link is running",
		    reason ? ": " : "", reason ? reason : "");
		printf("confirmed: %s\n", json_get_text(v, "confirmed"));
		print_queue(v, "urgent");
		print_queue(v, "bulk");
	}
	if (json_kind(running) != JSON_TRUE)
		return EXIT_ABSENT;
	return json_kind(denied) == JSON_TRUE ? EXIT_DENIED : EXIT_OK;
}

/* --- */

static const char *
parse(int argc, char *argv[], struct hub_options *o)
{
	static const char *const words[] = { "ok", "error", "not-found" };
	const char *name = NULL;
	struct opt_scan s;
	int key;

	opt_begin(&s, argc, argv, &tool);
	while ((key = opt_next(&s)) != -1)
		switch (key) {
		case 'A':
			name = s.arg;
			break;
		case 'f':
			o->follow = true;
			break;
		case OPT_KEY_JSON:
			o->json = true;
			break;
		case KEY_LINES:
			o->lines = true;
			break;
		case KEY_STATUS:
			o->status = words[opt_choice(&s)];
			break;
		case OPT_KEY_TIMEOUT:
			o->timeout_ms = opt_duration(&s);
			break;
		case OPT_KEY_WAIT:
			o->wait = true;
			break;
		}
	o->operands = s.operands;
	o->n_operands = s.n_operands;
	return name;
}

static int
word_run(struct hub_options *o, struct fail *f)
{
	const char *word = o->operands[0];

	if (!word)
		opt_misused("one of run, send, config, calls, answer, call, status is missing");
	if (strcmp(word, "run") == 0) {
		if (o->n_operands > 1)
			opt_misused("unexpected operand: '%s'", o->operands[1]);
		return run_link(o, f);
	}
	if (strcmp(word, "send") == 0)
		return send_records(o, f);
	if (strcmp(word, "config") == 0)
		return reader_config(o->dir, instance_operand(o), o->follow, print_record, NULL, f);
	if (strcmp(word, "calls") == 0)
		return reader_calls(o->dir, instance_operand(o), o->follow, print_record, NULL, f);
	if (strcmp(word, "answer") == 0)
		return answer(o, f);
	if (strcmp(word, "call") == 0)
		return call(o, f);
	if (strcmp(word, "status") == 0)
		return status(o, f);
	opt_misused_hint("run, send, config, calls, answer, call, status", "unknown command: '%s'", word);
}

int
main(int argc, char *argv[])
{
	struct hub_options o = { .timeout_ms = 30000, .status = "ok" };
	const char *name;
	struct fail f;
	int r;

	diag_init(argv);
	name = parse(argc, argv, &o);
	o.profile = profile_load_or_die(name);
	if (!o.profile->hub.dialect)
		die(EXIT_USAGE, 0, "%s: has no [hub]", o.profile->file);
	o.dir = hubdir_path(o.profile->name);
	r = word_run(&o, &f);
	free(o.dir);
	profile_free(o.profile);
	if (r < 0)
		fail_die(&f);
	finish((enum exit_status)r);
}
