#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "hub/agentcall.h"
#include "hub/devicecall.h"

enum { KNOWN = 256, RATE = 4, RATE_MS = 60000, TIMEOUT_MS = 600000, OUTPUT_MAX = 65536, JOURNAL_MAX = 1 << 20 };

struct devicecall {
	struct devicecall_spec spec;
	struct journal *journal;
	struct json known[KNOWN];	/* {"id","value"}; no value while it runs: oldest first, from NEXT on */
	size_t next;
	int64_t started[RATE];		/* times of the last ones, oldest at FIRST */
	size_t first;
	struct spawn *running;
	struct agentcall *asking;
	struct json call;		/* of RUNNING or ASKING */
};

/* --- outcomes */

static struct json
outcome_value(struct json call, const char *outcome, const char *details, struct json response)
{
	struct json v = json_object(), o = json_object();

	json_set_text(&o, "outcome", outcome);
	if (details && *details)
		json_set_text(&o, "details", details);
	json_set(&v, "call", json_copy(call));
	json_set_text(&v, "status", strcmp(outcome, "settled") == 0 ? "ok" : "error");
	json_set(&v, "outcome", o);
	if (json_kind(response) != JSON_NONE)
		json_set(&v, "response", json_copy(response));
	else
		json_set(&v, "response", details && *details ? json_string(details) : json_string(outcome));
	return v;
}

static struct json *
known_find(struct devicecall *d, const char *id)
{
	for (size_t i = 0; i < KNOWN; i++) {
		const char *have = json_get_text(d->known[i], "id");

		if (have && strcmp(have, id) == 0)
			return &d->known[i];
	}
	return NULL;
}

/* Note ID with VALUE, JSON_ABSENT while it runs, in memory. */
static void
known_set(struct devicecall *d, const char *id, struct json value)
{
	struct json *k = known_find(d, id);

	if (!k) {
		k = &d->known[d->next++ % KNOWN];
		json_release(k);
		*k = json_object();
		json_set_text(k, "id", id);
	}
	if (json_kind(value) != JSON_NONE)
		json_set(k, "value", json_copy(value));
}

static int
known_write(struct devicecall *d, const char *id, struct json call, struct json value)
{
	_cleanup_json_ struct json line = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	json_set_text(&line, "id", id);
	json_set(&line, "call", json_copy(call));
	if (json_kind(value) != JSON_NONE)
		json_set(&line, "value", json_copy(value));
	json_format(line, &b);
	r = journal_add(d->journal, b.s, b.len);
	return r < 0 ? r : journal_sync(d->journal);
}

static void
call_end(struct devicecall *d, struct json call, struct json value)
{
	const char *id = json_get_text(call, "id");

	(void)known_write(d, id, call, value);
	known_set(d, id, value);
	d->spec.answer(id, value, d->spec.cookie);
}

static void
call_refuse(struct devicecall *d, struct json call, const char *outcome, const char *details)
{
	_cleanup_json_ struct json value = outcome_value(call, outcome, details, JSON_ABSENT);

	d->spec.answer(json_get_text(call, "id"), value, d->spec.cookie);
}

/* --- running */

const char *
devicecall_outcome(int status)
{
	static const char *const words[] = { "settled", "failed", "failed", "failed", "unknown", "absent", "busy", "denied" };

	return status >= 0 && status < (int)(sizeof words / sizeof *words) ? words[status] : "failed";
}

static void
on_done(const struct spawn_result *r, void *cookie)
{
	struct devicecall *d = cookie;
	_cleanup_json_ struct json call = d->call, response = JSON_ABSENT, value = JSON_ABSENT;
	_cleanup_free_ char *details = NULL;
	struct fail ignored;

	d->running = NULL;
	d->call = JSON_ABSENT;
	details = xstrndup(r->err.s, strcspn(r->err.s, "\n"));
	if (json_parse(NULL, r->out.s, r->out.len, &response, &ignored) < 0)
		response = JSON_ABSENT;
	value = outcome_value(call, r->timed_out ? "unknown" : devicecall_outcome(r->status), details, response);
	call_end(d, call, value);
}

static void
on_agent(const char *outcome, const char *details, void *cookie)
{
	struct devicecall *d = cookie;
	_cleanup_json_ struct json call = d->call, value = outcome_value(call, outcome, details, JSON_ABSENT);

	d->asking = NULL;
	d->call = JSON_ABSENT;
	call_end(d, call, value);
}

bool
devicecall_is_allowed(char *const *allow, const char *method)
{
	const char *name = strcmp(method, "resume") == 0 ? "pause" : method;

	for (char *const *a = allow; a && *a; a++)
		if (strcmp(*a, name) == 0)
			return true;
	return false;
}

static bool
over_rate(struct devicecall *d)
{
	const int64_t now = clock_mono_ms();

	if (d->started[d->first] && now - d->started[d->first] < RATE_MS)
		return true;
	d->started[d->first] = now;
	d->first = (d->first + 1) % RATE;
	return false;
}

static void
tool_start(struct devicecall *d, const char *method)
{
	char *name = d->spec.profile->name;
	char *retry[] = { (char []){ "rejoin-retry" }, (char []){ "-A" }, name, (char []){ "--wait" }, (char []){ "--reason=hub" }, NULL };
	char *restart[] = { (char []){ "rejoin-restart" }, (char []){ "-A" }, name, NULL };
	char *status[] = { (char []){ "rejoin-status" }, (char []){ "-A" }, name, (char []){ "--json" }, NULL };
	struct spawn_spec spec = { .timeout_ms = TIMEOUT_MS, .grace_ms = 5000, .out_max = OUTPUT_MAX };

	spec.argv = strcmp(method, "retry") == 0 ? retry : strcmp(method, "restart") == 0 ? restart : status;
	d->running = spawn_start(d->spec.loop, &spec, on_done, d);
}

/* What carries out METHOD: nothing, a tool, or the agent. */
enum executor { EXECUTOR_NONE, EXECUTOR_TOOL, EXECUTOR_AGENT };

static enum executor
executor_of(const struct devicecall *d, const char *method)
{
	const bool takes_calls = d->spec.profile->retry.call_command;

	if (strcmp(method, "retry") == 0 || strcmp(method, "status") == 0)
		return EXECUTOR_TOOL;
	if (strcmp(method, "restart") == 0)
		return takes_calls ? EXECUTOR_AGENT : EXECUTOR_TOOL;
	return takes_calls && (strcmp(method, "pause") == 0 || strcmp(method, "resume") == 0) ? EXECUTOR_AGENT : EXECUTOR_NONE;
}

static void
call_start(struct devicecall *d, struct json call, const char *method)
{
	_cleanup_json_ struct json value = JSON_ABSENT;
	struct fail f;

	d->call = json_copy(call);
	if (executor_of(d, method) == EXECUTOR_TOOL) {
		tool_start(d, method);
		return;
	}
	d->asking = agentcall_start(d->spec.loop, d->spec.profile, method, on_agent, d, &f);
	if (d->asking)
		return;
	json_release(&d->call);
	d->call = JSON_ABSENT;
	value = outcome_value(call, devicecall_outcome((int)f.status), f.text, JSON_ABSENT);
	call_end(d, call, value);
}

void
devicecall_run(struct devicecall *d, struct json call, int64_t now_ms)
{
	const char *id = json_get_text(call, "id"), *method = json_get_text(call, "method");
	_cleanup_json_ struct json deadline = json_get(call, "deadline"), value = JSON_ABSENT;
	const struct json *known = known_find(d, id);
	int64_t ms;

	if (known) {
		value = json_get(*known, "value");
		if (json_kind(value) != JSON_NONE)
			d->spec.answer(id, value, d->spec.cookie);
	} else if (json_get_whole(deadline, &ms) && ms > 0 && ms < now_ms) {
		call_refuse(d, call, "expired", "its deadline has passed");
	} else if (executor_of(d, method) == EXECUTOR_NONE) {
		call_refuse(d, call, "denied", "no such call of the device");
	} else if (!devicecall_is_allowed(d->spec.profile->hub.allow, method)) {
		call_refuse(d, call, "denied", "not in 'allow' of [hub]");
	} else if (d->running || d->asking) {
		call_refuse(d, call, "busy", "another call is carried out");
	} else if (over_rate(d)) {
		call_refuse(d, call, "busy", "at most 4 calls a minute");
	} else if (known_write(d, id, call, JSON_ABSENT) < 0) {
		call_refuse(d, call, "failed", "handled.jsonl cannot be written");
	} else {
		known_set(d, id, JSON_ABSENT);
		call_start(d, call, method);
	}
}

/* --- */

/* What the file says; calls that were begun and have no outcome get one. */
static void
known_load(struct devicecall *d, const char *path)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct json open = json_object();
	struct fail ignored;

	if (file_load(path, FILE_NOFOLLOW, 2 * JOURNAL_MAX, &b, &ignored) < 0)
		b.len = 0;
	for (char *p = b.s, *end; b.len > 0 && (end = strchr(p, '\n')) != NULL; p = end + 1) {
		_cleanup_json_ struct json line = JSON_ABSENT, value = JSON_ABSENT;
		const char *id;

		if (json_parse(NULL, p, (size_t)(end - p), &line, &ignored) < 0 || !(id = json_get_text(line, "id")))
			continue;
		value = json_get(line, "value");
		known_set(d, id, value);
		if (json_kind(value) == JSON_NONE)
			json_set(&open, id, json_get(line, "call"));
		else
			json_remove(&open, id);
	}
	for (struct json_iter it = json_begin(open); json_next(&it); ) {
		_cleanup_json_ struct json value = outcome_value(it.value, "unknown", "interrupted by the end of the link",
		    JSON_ABSENT);

		call_end(d, it.value, value);
	}
	json_release(&open);
}

int
devicecall_new(const struct devicecall_spec *spec, struct devicecall **out, struct fail *f)
{
	struct devicecall *d = xcalloc(1, sizeof *d);
	_cleanup_free_ char *path = xasprintf("%s/handled.jsonl", spec->dir);

	d->spec = *spec;
	d->journal = journal_open(path, JOURNAL_MAX);
	if (!d->journal) {
		fail_errno(f, errno, "%s", path);
		free(d);
		return -EIO;
	}
	known_load(d, path);
	*out = d;
	return 0;
}

void
devicecall_free(struct devicecall *d)
{
	if (!d)
		return;
	if (d->running)
		spawn_kill(d->running);
	agentcall_free(d->asking);
	for (size_t i = 0; i < KNOWN; i++)
		json_release(&d->known[i]);
	json_release(&d->call);
	journal_close(d->journal);
	free(d);
}
