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
#include "base/json.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "hub/blob.h"
#include "hub/dialects.h"
#include "hub/hub.h"
#include "hub/hubdir.h"
#include "hub/linkstatus.h"
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

enum { BLOB_IDLE_MS = 60000 };

struct hub_options {
	bool follow, json, lines, wait;
	int64_t timeout_ms;
	bool timeout_given;
	char **headers;
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
		r = producer_read(kind, STDIN_FILENO, &value, f);
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
	r = producer_read("answer", STDIN_FILENO, &response, f);
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
		r = producer_read("call", STDIN_FILENO, &params, f);
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
	const bool to_stdout = strcmp(o->operands[3], "-") == 0 && strcmp(o->operands[1], "get") == 0;
	_cleanup_buf_ struct buf text = BUF_INIT;

	blob_format(b, r, f, &text);
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

static int
word_status(struct hub_options *o, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT, running = JSON_ABSENT, denied = JSON_ABSENT;
	_cleanup_buf_ struct buf text = BUF_INIT;

	if (o->n_operands > 1)
		opt_misused("unexpected operand: '%s'", o->operands[1]);
	if (hubdir_status(o->dir, &v, f) < 0)
		return -ENXIO;
	running = json_get(v, "running");
	denied = json_get(v, "denied");
	if (o->json) {
		json_print(v);
	} else {
		linkstatus_format(v, &text);
		fputs(text.s, stdout);
	}
	if (json_kind(running) != JSON_TRUE)
		return EXIT_ABSENT;
	return json_kind(denied) == JSON_TRUE ? EXIT_DENIED : EXIT_OK;
}

/* --- */

static void
header_add(struct hub_options *o, const char *text)
{
	struct fail f;

	if (blob_headers_add(&o->headers, text, &f) < 0)
		fail_die(&f);
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
	if (o->n_operands > 1)
		opt_misused("unexpected operand: '%s'", o->operands[1]);
	return run_link(o, f);
}

static int
word_config(struct hub_options *o, struct fail *f)
{
	return reader_config(o->dir, instance_operand(o), o->follow, print_record, NULL, f);
}

static int
word_calls(struct hub_options *o, struct fail *f)
{
	return reader_calls(o->dir, instance_operand(o), o->follow, print_record, NULL, f);
}

static int
command_run(struct hub_options *o, struct fail *f)
{
	static const struct { const char *word; int (*fn)(struct hub_options *o, struct fail *f); } words[] = {
		{ "run", word_run }, { "send", word_send }, { "config", word_config }, { "calls", word_calls },
		{ "answer", word_answer }, { "call", word_call }, { "blob", word_blob }, { "status", word_status },
	};
	const char *word = o->operands[0];

	if (!word)
		opt_misused("one of run, send, config, calls, answer, call, blob, status is missing");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(word, words[i].word) == 0)
			return words[i].fn(o, f);
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
	r = command_run(&o, &f);
	free(o.dir);
	xfree_strv(o.headers);
	profile_free(o.profile);
	if (r < 0)
		fail_die(&f);
	finish((enum exit_status)r);
}
