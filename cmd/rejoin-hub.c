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
#include "base/diag.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/io.h"
#include "base/json.h"
#include "base/opt.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "hub/blob.h"
#include "hub/dialects.h"
#include "hub/hub.h"
#include "hub/hubdir.h"
#include "hub/producer.h"
#include "hub/reader.h"

enum { KEY_LINES = OPT_OWN, KEY_STATUS, KEY_HEADER, KEY_INSTANCE, KEY_CA_FILE };

static const struct opt opts[] = {
	OPT_AGENT,
	{ KEY_CA_FILE, "ca-file", "FILE", "blob: trust the certificate authorities in FILE, not the system's" },
	{ 'f', "follow", NULL, "config, calls: keep printing changes" },
	{ KEY_HEADER, "header", "H", "blob: send the header H, or each line of the file if H is @FILE", .repeats = true },
	{ KEY_INSTANCE, "instance", "NAME", "blob: ask for the storage of the instance NAME", .preset = "REJOIN_INSTANCE" },
	OPT_JSON,
	{ KEY_LINES, "lines", NULL, "send: read records from standard input, one object a line" },
	{ KEY_STATUS, "status", "WORD", "answer: how the call ended", .choices = "ok error not-found", .preset = "ok" },
	OPT_TIMEOUT("give up waiting after DUR", "30s; of a blob 60s without a byte"),
	OPT_WAIT("send, answer: wait until the record is confirmed"),
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "the link to a hub over an MQTT broker",
	.synopsis = "[-A NAME] run\n"
	    "[-A NAME] send KIND KEY [--wait] [--timeout DUR]\n"
	    "[-A NAME] send KIND --lines [--wait] [--timeout DUR]\n"
	    "[-A NAME] config [-f] [INSTANCE]\n[-A NAME] calls [-f] [INSTANCE]\n"
	    "[-A NAME] answer ID [--status WORD] [--wait]\n[-A NAME] call METHOD [--timeout DUR]\n[-A NAME] status [--json]\n"
	    "[-A NAME] blob get|put SOURCE FILE [--header H]... [--json]\n"
	    "\t[--instance NAME] [--ca-file FILE] [--timeout DUR]",
	.opts = opts,
	.operands = OPT_TEXTS,
	.words = "run send config calls answer call blob status",
	.after = "send:report state telemetry log,blob:get put",
	.statuses = "0 done, or submitted; 1 the other side refused; 2 usage, or a wrong value; 3 trouble; 4 not confirmed in time; "
	    "5 no link is running; 6 the queue is full, or another link is running; 7 denied",
	.example = "echo 21.5 | rejoin-hub send telemetry room/temperature --wait",
};

enum { VALUE_MAX = 1 << 20, HEADERS_MAX = 65536, BLOB_IDLE_MS = 60000 };

struct hub_options {
	bool follow, json, lines, wait;
	int64_t timeout_ms;
	bool timeout_given;
	char **headers;
	size_t n_headers, headers_cap;
	const char *status, *instance, *ca_file;
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

static int
run_link(struct hub_options *o, struct fail *f)
{
	const struct hub_spec spec = { .profile = o->profile, .log = { diag_log, NULL } };

	if (geteuid() == 0)
		diag_info("runs as root: a user of its own, such as rejoin-hub, is enough");
	return hub_run(&spec, f);
}

/* --- submitting */

static struct producer
producer_of(const struct hub_options *o)
{
	return (struct producer){ o->dir, dialects_find(o->profile->hub.dialect), o->wait, o->timeout_ms };
}

/* The value of KIND on standard input. */
static int
read_value(const char *kind, struct json *out, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_MAX(VALUE_MAX);
	ssize_t n;

	while ((n = io_read_buf(STDIN_FILENO, &b)) > 0)
		;
	if (n == -EMSGSIZE)
		return fail_set(f, EXIT_USAGE, "standard input: a value has at most %d bytes", VALUE_MAX);
	return n < 0 ? fail_errno(f, (int)n, "standard input") : producer_value(kind, &b, out, f);
}

static void
line_wrong(const struct fail *f)
{
	fail_tell(f, NULL);	/* the other lines are sent */
}

static int
word_send(struct hub_options *o, struct fail *f)
{
	const char *kind = o->n_operands > 1 ? o->operands[1] : NULL;
	const struct producer p = producer_of(o);
	struct json value = JSON_ABSENT;
	int r = 0;

	if (!kind)
		opt_misused_hint("kinds: report, state, telemetry, log", "send: the kind is missing");
	if (!producer_is_kind(kind))
		opt_misused_hint("kinds: report, state, telemetry, log", "send: unknown kind: '%s'", kind);
	if (o->lines ? o->n_operands > 2 : o->n_operands != 3)
		opt_misused(o->lines || o->n_operands > 3 ? "unexpected operand: '%s'" : "send %s: the key is missing",
		    o->lines ? o->operands[2] : o->n_operands > 3 ? o->operands[3] : kind);
	if (o->wait)
		r = hubdir_check_running(o->dir, f);
	if (r == 0 && o->lines)
		return producer_send_lines(&p, kind, STDIN_FILENO, line_wrong, f);
	if (r == 0)
		r = read_value(kind, &value, f);
	return r == 0 ? producer_send(&p, kind, o->operands[2], value, f) : r;
}

static int
word_answer(struct hub_options *o, struct fail *f)
{
	const struct producer p = producer_of(o);
	struct json v = json_object(), response = JSON_ABSENT;
	int r;

	if (o->n_operands != 2)
		opt_misused("answer: one operand, the call's id");
	r = read_value("answer", &response, f);
	json_set_text(&v, "status", o->status);
	json_set(&v, "response", response);
	if (r == 0)
		return producer_send(&p, "answer", o->operands[1], v, f);
	json_release(&v);
	return r;
}

static int
word_call(struct hub_options *o, struct fail *f)
{
	const struct producer p = producer_of(o);
	_cleanup_json_ struct json response = JSON_ABSENT;
	struct json params = JSON_ABSENT;
	int r;

	if (o->n_operands != 2)
		opt_misused("call: one operand, the method");
	r = hubdir_check_running(o->dir, f);
	if (r == 0)
		r = read_value("call", &params, f);
	if (r == 0)
		r = producer_call(&p, o->operands[1], params, &response, f);
	if (r >= 0)
		json_print(response);
	return r;
}

/* --- blobs */

static void
blob_print(const struct hub_options *o, int r, const struct blob_result *b, const struct fail *f)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf text = BUF_INIT;
	const bool to_stdout = strcmp(o->operands[3], "-") == 0 && strcmp(o->operands[1], "get") == 0;

	json_set_text(&v, "result", r == 0 ? "ok" : r > 0 ? "refused" : "error");
	json_set(&v, "http_status", json_number(b->http_status));
	json_set(&v, "bytes", json_number((double)b->bytes));
	if (r != 0)
		json_set_text(&v, "reason", f->text);
	json_format(v, &text);
	buf_putc(&text, '\n');
	fwrite(text.s, 1, text.len, to_stdout ? stderr : stdout);
}

static int
word_blob(struct hub_options *o, struct fail *f)
{
	const struct producer p = producer_of(o);
	struct blob_spec spec = {
		.headers = o->headers, .instance = o->instance ? o->instance : getenv("REJOIN_INSTANCE"), .ca_file = o->ca_file,
		.insecure = o->profile->hub.insecure, .timeout_ms = o->timeout_given ? o->timeout_ms : 0, .idle_ms = BLOB_IDLE_MS,
		.producer = &p,
	};
	struct blob_result result = { 0 };
	int r = 0;

	if (o->n_operands != 4 || (strcmp(o->operands[1], "get") != 0 && strcmp(o->operands[1], "put") != 0))
		opt_misused_hint("blob get URL FILE, or blob put URL FILE", "blob: three operands");
	spec.put = strcmp(o->operands[1], "put") == 0;
	spec.source = o->operands[2];
	spec.file = o->operands[3];
	if (strncmp(spec.source, "evp:", 4) == 0)
		r = hubdir_check_running(o->dir, f);
	if (r == 0)
		r = blob_run(&spec, &result, f);
	if (o->json)
		blob_print(o, r, &result, f);
	else if (r > 0)
		fail_tell(f, NULL);
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
word_status(struct hub_options *o, struct fail *f)
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

static void
header_push(struct hub_options *o, const char *line, size_t len)
{
	o->headers = xgrow(o->headers, o->n_headers + 1, &o->headers_cap, sizeof *o->headers);
	o->headers[o->n_headers++] = xstrndup(line, len);
	o->headers[o->n_headers] = NULL;
}

/* A header, or with @ the file that holds some: what is in an argument can be read by other users. */
static void
header_add(struct hub_options *o, const char *text)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;

	if (*text != '@') {
		header_push(o, text, strlen(text));
		return;
	}
	if (file_load(text + 1, 0, HEADERS_MAX, &b, &f) < 0)
		fail_die(&f);
	for (char *p = b.s; *p; p += strspn(p, "\r\n")) {
		const size_t n = strcspn(p, "\r\n");

		if (n > 0)
			header_push(o, p, n);
		p += n;
	}
	secret_wipe(&b);
}

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
			o->timeout_given = true;
			break;
		case KEY_HEADER:
			header_add(o, s.arg);
			break;
		case KEY_INSTANCE:
			o->instance = s.arg;
			break;
		case KEY_CA_FILE:
			o->ca_file = s.arg;
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
		opt_misused("one of run, send, config, calls, answer, call, blob, status is missing");
	if (strcmp(word, "run") == 0) {
		if (o->n_operands > 1)
			opt_misused("unexpected operand: '%s'", o->operands[1]);
		return run_link(o, f);
	}
	if (strcmp(word, "send") == 0)
		return word_send(o, f);
	if (strcmp(word, "config") == 0)
		return reader_config(o->dir, instance_operand(o), o->follow, print_record, NULL, f);
	if (strcmp(word, "calls") == 0)
		return reader_calls(o->dir, instance_operand(o), o->follow, print_record, NULL, f);
	if (strcmp(word, "answer") == 0)
		return word_answer(o, f);
	if (strcmp(word, "call") == 0)
		return word_call(o, f);
	if (strcmp(word, "blob") == 0)
		return word_blob(o, f);
	if (strcmp(word, "status") == 0)
		return word_status(o, f);
	opt_unknown_command(&tool, word);
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
	if (!o.profile->hub.dialect) {
		diag(0, "%s: has no [hub]", o.profile->file);
		diag_hint("rejoin-hub(1) describes [hub]; add one to %s/agents.d/%s.conf", dirs_config(), o.profile->name);
		exit(EXIT_USAGE);
	}
	o.dir = hubdir_path(o.profile->name);
	r = word_run(&o, &f);
	free(o.dir);
	xfree_strv(o.headers);
	profile_free(o.profile);
	if (r < 0)
		fail_die(&f);
	finish((enum exit_status)r);
}
