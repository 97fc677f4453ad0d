#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/history.h"
#include "agent/overview.h"
#include "agent/status_text.h"
#include "base/ago.h"
#include "base/file.h"
#include "base/io.h"
#include "base/table.h"
#include "base/xalloc.h"

enum { REPORT_MAX = 16 << 20, RESTARTS_MAX = 5 };

static struct json
text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

/* Keep, of the results of each component, the one with the latest time. */
static struct json
last_results(struct json results)
{
	_cleanup_json_ struct json last = json_object();
	struct json list = json_array();

	for (size_t i = 0; i < json_count(results); i++) {
		_cleanup_json_ struct json r = json_at(results, i);
		const char *component = json_get_text(r, "component");
		const char *time = json_get_text(r, "time"), *before_time;
		_cleanup_json_ struct json before = JSON_ABSENT;

		if (!component)
			component = "";
		before = json_get(last, component);
		before_time = json_is_object(before) ? json_get_text(before, "time") : NULL;
		if (before_time && time && strcmp(time, before_time) < 0)
			continue;
		json_set(&last, component, json_copy(r));
	}
	for (struct json_iter it = json_begin(last); json_next(&it); )
		json_append(&list, json_copy(it.value));
	return list;
}

/* The array KEY of OBJECT, or an empty one. */
static struct json
list_of(struct json object, const char *key)
{
	struct json v = json_is_object(object) ? json_get(object, key) : JSON_ABSENT;

	if (json_kind(v) == JSON_ARRAY)
		return v;
	json_release(&v);
	return json_array();
}

/* The object in FILE, which the agent has written; absent without one. */
static struct json
file_of(const struct status *s, const char *file, struct buf *note)
{
	_cleanup_fd_ int fd = *file ? open(file, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct json report = JSON_ABSENT;
	char path[32];
	struct stat st;
	struct fail f;

	if (fd < 0)
		return JSON_ABSENT;
	/* the writer of the status must not make another user read a file that it may not */
	if (fstat(fd, &st) < 0 || st.st_uid != s->owner || !S_ISREG(st.st_mode)) {
		buf_printf(note, "%s%s: is not a file of the user that owns the status file",
		    note->len ? "; " : "", file);
		return JSON_ABSENT;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (json_load(path, 0, REPORT_MAX, &report, &f) < 0) {
		buf_printf(note, "%s%s: %s", note->len ? "; " : "", file, f.text + (strncmp(f.text, path,
		    strlen(path)) == 0 ? strlen(path) + 2 : 0));
		return JSON_ABSENT;
	}
	if (!json_is_object(report))
		json_release(&report);
	return report;
}

/* The member "rejoin" of the agent's report, absent without a report. */
static struct json
report_of(const struct status *s, struct buf *note)
{
	_cleanup_json_ struct json report = file_of(s, s->report, note);

	return json_is_object(report) ? json_get(report, "rejoin") : JSON_ABSENT;
}

/* What the modules of our agent are doing: modules.json beside the directory of its report. */
static struct json
modules_of(const struct status *s, struct buf *note)
{
	_cleanup_free_ char *path = xstrdup(s->report), *file = NULL;

	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return JSON_ABSENT;
		*slash = '\0';
	}
	file = xasprintf("%s/modules.json", path);
	return file_of(s, file, note);
}

/* The members of OBJECT as a list of objects that name themselves by KEY. */
static struct json
named_list(struct json object, const char *key)
{
	struct json list = json_array();

	for (struct json_iter it = json_begin(object); json_next(&it); ) {
		struct json v = json_object();

		json_set_text(&v, key, it.key);
		for (struct json_iter m = json_begin(it.value); json_next(&m); )
			json_set(&v, m.key, json_copy(m.value));
		json_append(&list, v);
	}
	return list;
}

/* Those of an agent that has, or had, a deployment of modules. */
static void
modules_add(struct json *record, struct json status)
{
	_cleanup_json_ struct json modules = json_get(status, "modules"), instances = json_get(status, "instances");
	const char *id = json_get_text(status, "deploymentId"), *how = json_get_text(status, "reconcileStatus");

	if (!json_is_object(status))
		return;
	json_set(record, "deployment", id ? json_string(id) : json_null());
	json_set(record, "reconcileStatus", how ? json_string(how) : json_null());
	json_set(record, "modules", named_list(modules, "id"));
	json_set(record, "instances", named_list(instances, "name"));
}


/* The last restarts, oldest first; lines that are no JSON object are skipped. */
static struct json
restarts_of(const struct profile *p, struct buf *note)
{
	_cleanup_buf_ struct buf lines = BUF_INIT;
	struct json list = json_array();
	struct fail f;

	if (history_tail(p, RESTARTS_MAX, &lines, &f) < 0)
		buf_printf(note, "%s%s", note->len ? "; " : "", f.text);
	for (const char *line = lines.s, *nl; (nl = strchr(line, '\n')); line = nl + 1) {
		struct json v = JSON_ABSENT;

		if (json_parse(NULL, line, (size_t)(nl - line), &v, &f) == 0 && json_is_object(v))
			json_append(&list, v);
		else
			json_release(&v);
	}
	return list;
}

/*
 * The invocation of P's unit, which the service manager publishes by a link of this
 * name; empty without one.
 */
static void
invocation_of(const struct profile *p, char id[64])
{
	_cleanup_free_ char *path = p->unit ? xasprintf("/run/systemd/units/invocation:%s", p->unit) : NULL;
	const ssize_t n = path ? readlink(path, id, 63) : -1;

	id[n > 0 ? n : 0] = '\0';
}

const char *
overview_incarnation(const struct profile *p, const struct status *s, char id[64])
{
	invocation_of(p, id);
	return s->running == 1 && *id ? id : s->incarnation;
}

struct json
overview_of(const struct profile *p, const struct status *s, bool pending)
{
	_cleanup_buf_ struct buf note = BUF_INIT;
	_cleanup_json_ struct json report = JSON_ABSENT, results = JSON_ABSENT, modules = JSON_ABSENT;
	struct json v = json_object(), restarts;
	char invocation[64];

	buf_puts(&note, s->note);
	report = report_of(s, &note);
	modules = modules_of(s, &note);
	restarts = restarts_of(p, &note);
	results = list_of(report, "results");
	json_set_text(&v, "agent", p->name);
	json_set(&v, "running", s->running < 0 ? json_null() : json_bool(s->running));
	json_set(&v, "incarnation", text_or_null(s->incarnation));
	invocation_of(p, invocation);
	if (s->running == 1 && *invocation)
		json_set_text(&v, "invocation", invocation);
	json_set(&v, "since", text_or_null(s->since));
	json_set_text(&v, "state", status_text_state(s->state));
	json_set(&v, "workflow", text_or_null(s->workflow));
	json_set(&v, "phase", text_or_null(s->phase));
	json_set(&v, "progress", text_or_null(s->progress));
	json_set(&v, "waiting", list_of(report, "waiting"));
	json_set(&v, "held", list_of(report, "held"));
	modules_add(&v, modules);
	json_set(&v, "pending", json_bool(s->pending || pending));
	json_set(&v, "results", last_results(results));
	json_set(&v, "restarts", restarts);
	if (s->is_unsigned)
		json_set(&v, "unsigned", json_bool(true));
	if (s->paused)
		json_set(&v, "paused", json_bool(true));
	if (note.len)
		json_set_text(&v, "note", note.s);
	return v;
}

struct json
overview_waiting(const struct status *s)
{
	_cleanup_buf_ struct buf note = BUF_INIT;
	_cleanup_json_ struct json report = report_of(s, &note), list = list_of(report, "waiting");
	struct json ids = json_object();

	for (size_t i = 0; i < json_count(list); i++) {
		_cleanup_json_ struct json c = json_at(list, i);
		const char *id = json_get_text(c, "id");

		if (id)
			json_set(&ids, id, json_null());
	}
	return ids;
}

static void
add_row(struct table *t, const char *a, const char *b)
{
	table_cell(t, a);
	if (strcmp(a, "state") == 0)
		table_state(t, b);
	else
		table_cell(t, b);
	table_end_row(t);
}

/* Format member KEY of RECORD for a reader into OUT. */
static const char *
format_member(struct json record, const char *key, struct buf *out)
{
	_cleanup_json_ struct json v = json_get(record, key);

	buf_reset(out);
	switch (json_kind(v)) {
	case JSON_TRUE:
		buf_puts(out, "yes");
		break;
	case JSON_FALSE:
		buf_puts(out, "no");
		break;
	case JSON_NULL:
	case JSON_NONE:
		break;
	case JSON_STRING:
		buf_puts(out, json_get_string(v));
		break;
	case JSON_ARRAY:
		buf_printf(out, "%zu", json_count(v));
		break;
	default:
		json_format(v, out);
		break;
	}
	return out->s;
}

/* The same as it is shown: of a time, how long ago; of a result code, its name. */
static const char *
show_member(struct json record, const char *key, const struct overview_style *style, struct buf *out)
{
	_cleanup_buf_ struct buf text = BUF_INIT, name = BUF_INIT;

	format_member(record, key, &text);
	buf_reset(out);
	if (strcmp(key, "since") == 0 || strcmp(key, "time") == 0 || strcmp(key, "at") == 0)
		ago_format(text.s, style->now_s, out);
	else if (strcmp(key, "resultCode") == 0 && *format_member(record, "resultName", &name))
		buf_printf(out, "%s %s", text.s, name.s);
	else
		buf_puts(out, text.s);
	return out->s;
}

/* T, which is freed, into OUT. */
static void
print_table(struct table *t, const struct overview_style *style, struct buf *out)
{
	table_wrap(t);	/* a note, a reason, details */
	if (style->terminal >= 0)
		table_terminal(t, style->terminal);
	table_format(t, out);
	table_free(t);
}

static void
format_heads(struct json record, const struct overview_style *style, struct buf *out)
{
	static const char *const shown[] = { "agent", "running", "incarnation", "since", "state",
	    "workflow", "phase", "progress", "waiting", "held", "deployment", "reconcileStatus", "pending", "unsigned", "paused", "note" };
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct table *t = table_new();

	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
		/* one name for one incarnation: the history has the invocation */
		if (strcmp(shown[i], "incarnation") != 0 || !*format_member(record, "invocation", &b))
			show_member(record, shown[i], style, &b);
		if (b.len || strcmp(shown[i], "running") == 0)
			add_row(t, shown[i], b.len ? b.s : "unknown");
	}
	print_table(t, style, out);
}

/* The array KEY of RECORD: its members KEYS (NULL-terminated) under HEADINGS. */
static void
format_list(struct json record, const char *key, const char *const *headings,
    const char *const *keys, const struct overview_style *style, struct buf *out)
{
	_cleanup_json_ struct json list = json_get(record, key);
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct table *t;

	if (json_count(list) == 0)
		return;
	t = table_new();
	for (const char *const *h = headings; *h; h++)
		table_cell(t, *h);
	table_end_row(t);
	for (size_t i = 0; i < json_count(list); i++) {
		_cleanup_json_ struct json v = json_at(list, i);

		for (const char *const *k = keys; *k && json_is_object(v); k++)
			table_cell(t, show_member(v, *k, style, &b));
		table_end_row(t);
	}
	buf_putc(out, '\n');
	print_table(t, style, out);
}

void
overview_format(struct json record, const struct overview_style *style, struct buf *out)
{
	format_heads(record, style, out);
	format_list(record, "waiting", (const char *const[]){ "WAITING FOR", "NAME", "SINCE", NULL },
	    (const char *const[]){ "id", "name", "since", NULL }, style, out);
	format_list(record, "held", (const char *const[]){ "HELD", "ATTEMPT", "OF", "AT", NULL },
	    (const char *const[]){ "id", "attempt", "attempts", "at", NULL }, style, out);
	format_list(record, "modules", (const char *const[]){ "MODULE", "STATUS", "REASON", NULL },
	    (const char *const[]){ "id", "status", "failureMessage", NULL }, style, out);
	format_list(record, "instances", (const char *const[]){ "INSTANCE", "STATUS", "MODULE", "REASON", NULL },
	    (const char *const[]){ "name", "status", "moduleId", "failureMessage", NULL }, style, out);
	format_list(record, "results", (const char *const[]){ "COMPONENT", "PHASE", "RESULT", "TIME",
	    "DETAILS", NULL }, (const char *const[]){ "component", "phase", "resultCode", "time",
	    "details", NULL }, style, out);
	format_list(record, "restarts", (const char *const[]){ "RESTART", "OUTCOME", "METHOD", "AFTER",
	    "REASON", NULL }, (const char *const[]){ "time", "outcome", "method", "after", "reason",
	    NULL }, style, out);
}

void
overview_format_kv(struct json record, struct buf *out)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (struct json_iter it = json_begin(record); json_next(&it); ) {
		buf_printf(out, "%s=", it.key);
		table_escape(format_member(record, it.key, &b), out);
		buf_putc(out, '\n');
	}
}
