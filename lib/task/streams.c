#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "task/taskcursor.h"
#include "task/frames.h"
#include "task/output.h"
#include "task/streams.h"

enum {
	HISTORY_MAX = 4 << 20,
	SHARE_MAX = 256 << 10,	/* bytes of one task in an answer for a session */
	GATHER_MS = 20,		/* how long output of a session is gathered for one answer */
};

static void
reply_gap(struct server_request *q, const struct output_gap *gap, int64_t from)
{
	_cleanup_json_ struct json v = json_object();

	json_set_text(&v, "error", "dropped");
	json_set_text(&v, "stream", gap->stream ? "err" : "out");
	json_set(&v, "first", json_number((double)gap->first));
	json_set(&v, "dropped", json_number((double)(gap->first - from)));
	server_reply(q, 416, v);
}

/* Where the machine lost power, that is less than a controller has read. */
static void
reply_beyond(struct server_request *q, const struct output_gap *gap, int64_t from)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_free_ char *reason = xasprintf("\"%s\": offset %jd is beyond the end, %jd", gap->stream ? "err" : "out",
	    (intmax_t)from, (intmax_t)gap->first);

	json_set_text(&v, "error", "beyond");
	json_set_text(&v, "reason", reason);
	json_set_text(&v, "stream", gap->stream ? "err" : "out");
	json_set(&v, "end", json_number((double)gap->first));
	server_reply(q, 416, v);
}

static int
stream_of(const char *part)
{
	return strcmp(part, "out") == 0 ? 0 : strcmp(part, "err") == 0 ? 1 : -1;
}

/* GET /1/tasks/ID/out|err|output: some output, or the end, or (LAST) nothing yet. */
static bool
try_output(struct server_request *q, bool last, void *cookie)
{
	struct task_agent *agent = cookie;
	_cleanup_buf_ struct buf b = BUF_INIT;
	char parts[SERVER_PARTS][SERVER_PART_MAX], offset[64];
	const char *headers[3] = { NULL, NULL, NULL };
	struct output_place p;
	struct output_gap gap;
	const struct taskrecord *t;
	enum output_result r;
	const size_t max = server_answer_room(q, OUTPUT_MAX);
	int i;

	if (max == 0) {
		server_reply_busy(q);
		return true;
	}
	server_path_parts(q, parts);
	i = stream_of(parts[3]);
	t = store_find(agent->store, atoll(parts[2]));
	if (!t) {
		server_reply_error(q, 404, "no-task", "task %s was released", parts[2]);
		return true;
	}
	p.at[0] = server_query_number(q, i < 0 ? "out" : "from", 0);
	p.at[1] = server_query_number(q, i < 0 ? "err" : "from", 0);
	snprintf(offset, sizeof offset, "Rejoin-Offset: %jd", (intmax_t)p.at[i < 0 ? 0 : i]);
	r = output_read(t, i, &p, "", max, &b, &gap);
	if (r == OUTPUT_GAP) {
		reply_gap(q, &gap, p.at[gap.stream]);
		return true;
	}
	if (r == OUTPUT_BEYOND) {
		reply_beyond(q, &gap, p.at[gap.stream]);
		return true;
	}
	if (r == OUTPUT_NONE && !last)
		return false;
	headers[0] = offset;
	headers[1] = r == OUTPUT_END ? "Rejoin-End: true" : NULL;
	server_reply_bytes(q, 200, &b, "application/octet-stream", headers);
	return true;
}

static char **
task_dirs(struct server_request *q, void *cookie)
{
	const struct task_agent *agent = cookie;
	char parts[SERVER_PARTS][SERVER_PART_MAX];
	char **dirs = xcalloc(2, sizeof *dirs);
	const struct taskrecord *t;

	server_path_parts(q, parts);
	t = store_find(agent->store, atoll(parts[2]));
	dirs[0] = t ? t->dir : NULL;
	return dirs;
}

/* --- all tasks of a session */

/* A request for the output of a session, while an answer is made. */
struct session_read {
	const struct task_agent *agent;
	int64_t session;
	uid_t uid;
	struct taskcursor before;
	struct buf answer;
	size_t max;		/* bytes of output */
	bool some;		/* it has more than the cursor */
};

static bool
is_of_session(const struct session_read *s, const struct taskrecord *t)
{
	return t->session == s->session && t->owner == s->uid && t->state != TASK_RECORDED;
}

static void
add_gap(struct session_read *s, const struct taskrecord *t, struct output_place *p, const struct output_gap *gap)
{
	int64_t *at = &p->at[gap->stream];

	buf_printf(&s->answer, "%jd %s %jd %jd\n", (intmax_t)t->id,
	    frames_name(gap->stream ? FRAMES_ERR_GAP : FRAMES_OUT_GAP), (intmax_t)*at, (intmax_t)(gap->first - *at));
	*at = gap->first;
}

static void
add_end(struct session_read *s, const struct taskrecord *t)
{
	_cleanup_json_ struct json v = taskrecord_describe(t);
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_format(v, &b);
	buf_printf(&s->answer, "%jd %s 0 %zu\n", (intmax_t)t->id, frames_name(FRAMES_END), b.len);
	buf_add(&s->answer, b.s, b.len);
}

/* What T has after I, which is moved behind it; its end follows its last byte. */
static void
read_task(struct session_read *s, const struct taskrecord *t, struct taskcursor_item *i)
{
	_cleanup_free_ char *prefix = xasprintf("%jd ", (intmax_t)t->id);
	struct output_place p = { { i->at[0], i->at[1] } };
	struct output_gap gap;
	enum output_result r;

	do {
		r = output_read(t, -1, &p, prefix, s->max < SHARE_MAX ? s->max : SHARE_MAX, &s->answer, &gap);
		if (r == OUTPUT_GAP)
			add_gap(s, t, &p, &gap);
		s->some |= r == OUTPUT_SOME || r == OUTPUT_GAP;
	} while (r == OUTPUT_GAP);
	/* beyond: the cursor is from before a loss of power, and nothing more comes */
	if (r == OUTPUT_BEYOND)
		r = taskrecord_is_over(t) ? OUTPUT_END : OUTPUT_NONE;
	if (r == OUTPUT_END) {
		add_end(s, t);
		s->some = true;
	}
	*i = (struct taskcursor_item){ t->id, { p.at[0], p.at[1] }, r == OUTPUT_END };
}

/* The items of the tasks of the session, by id; *N of them. */
static struct taskcursor_item *
items_of(const struct session_read *s, size_t *n)
{
	struct taskcursor_item *items = NULL;
	size_t cap = 0;

	*n = 0;
	for (size_t k = 0; k < store_task_count(s->agent->store); k++) {
		const struct taskrecord *t = store_at(s->agent->store, k);
		const struct taskcursor_item *i = taskcursor_find(&s->before, t->id);

		if (!is_of_session(s, t))
			continue;
		items = xgrow(items, *n, &cap, sizeof *items);
		items[(*n)++] = i ? *i : (struct taskcursor_item){ .id = t->id };
	}
	return items;
}

/*
 * The next cursor, as the last frame.  Where it has no room for a task that was
 * not read yet, that task waits until others are released.
 */
static void
add_cursor(struct session_read *s, const struct taskcursor_item *items, size_t n)
{
	_cleanup_taskcursor_ struct taskcursor after = { NULL, 0, 0 };
	_cleanup_buf_ struct buf text = BUF_INIT;

	for (size_t k = 0; k < n; k++)
		if (items[k].over || items[k].at[0] > 0 || items[k].at[1] > 0)
			taskcursor_add(&after, &items[k], &text);
	buf_printf(&s->answer, "0 %s 0 %zu\n", frames_name(FRAMES_CURSOR), text.len);
	buf_add(&s->answer, text.s, text.len);
}

/* How many items fit into a cursor, whatever their offsets are. */
static size_t
count_fitting(const struct taskcursor_item *items, size_t n)
{
	const size_t widest = 40;	/* three numbers of at most 13 digits */
	size_t len = 0, k;

	for (k = 0; k < n && len < TASKCURSOR_MAX - widest; k++)
		len += items[k].over ? 10 : 24;
	return k;
}

/* Each time another task is the first, so that one that writes without end holds up no other. */
static void
read_session(struct session_read *s)
{
	size_t n;
	_cleanup_free_ struct taskcursor_item *items = items_of(s, &n);
	const size_t fitting = count_fitting(items, n);
	const size_t first = fitting > 0 ? (size_t)rand() % fitting : 0;

	for (size_t k = 0; k < fitting && s->answer.len < s->max; k++) {
		struct taskcursor_item *i = &items[(first + k) % fitting];

		if (!i->over)
			read_task(s, store_find(s->agent->store, i->id), i);
	}
	add_cursor(s, items, n);
}

static bool
try_session(struct server_request *q, bool last, void *cookie)
{
	struct session_read s = { .agent = cookie, .session = server_query_number(q, "session", 0),
	    .uid = q->uid, .answer = BUF_INIT, .max = server_answer_room(q, OUTPUT_MAX) };
	const char *after = server_query(q, "after");

	if (s.max == 0) {
		server_reply_busy(q);
		return true;
	}

	if (taskcursor_parse(after ? after : "", &s.before) < 0) {
		server_reply_error(q, 400, "usage", "\"after\": not a cursor");
		return true;
	}
	read_session(&s);
	taskcursor_release(&s.before);
	if (s.some || last)
		server_reply_bytes(q, 200, &s.answer, "application/octet-stream", NULL);
	buf_release(&s.answer);
	return s.some || last;
}

/* Those of the tasks that may write. */
static char **
session_dirs(struct server_request *q, void *cookie)
{
	const struct task_agent *agent = cookie;
	const int64_t session = server_query_number(q, "session", 0);
	const size_t size = store_task_count(agent->store);
	char **dirs = xcalloc(size + 1, sizeof *dirs);
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		const struct taskrecord *t = store_at(agent->store, i);

		if (t->session == session && t->owner == q->uid && t->state == TASK_RUNNING)
			dirs[n++] = t->dir;
	}
	return dirs;
}

/* GET /1/history */
static bool
try_history(struct server_request *q, bool last, void *cookie)
{
	struct task_agent *agent = cookie;
	_cleanup_buf_ struct buf b = BUF_INIT;
	const int64_t store = store_id(agent->store);
	int64_t after = server_query_number(q, "after", 0), of = server_query_number(q, "store", store);
	_cleanup_free_ char *header = xasprintf("Rejoin-Store: %jd", (intmax_t)store);
	const char *const headers[] = { header, NULL };
	const size_t max = server_answer_room(q, HISTORY_MAX);
	struct refusal r;
	int e;

	if (max == 0) {
		server_reply_busy(q);
		return true;
	}
	if (of != store)	/* an id of another store says nothing here */
		after = 0;
	e = taskhistory_read(store_history(agent->store), after, task_agent_is_admin(agent, q->uid) ? -1 : (int64_t)q->uid,
	    max, &b);
	if (e < 0) {
		refusal_errno(&r, e, "history");
		server_reply_refusal(q, &r);
		return true;
	}
	if (b.len == 0 && !last)
		return false;
	server_reply_bytes(q, 200, &b, "application/jsonl", headers);
	return true;
}

static void
wait_for(struct task_agent *a, struct server_request *q, waiters_try *fn, waiters_dirs *dirs, int64_t gather_ms)
{
	waiters_add(a->waiters, q, fn, dirs, gather_ms, server_query_number(q, "wait", 0) * 1000);
}

void
streams_task(struct task_agent *a, struct server_request *q)
{
	wait_for(a, q, try_output, task_dirs, 0);
}

void
streams_session(struct task_agent *a, struct server_request *q)
{
	wait_for(a, q, try_session, session_dirs, GATHER_MS);
}

struct history_call {
	struct task_agent *agent;
	struct server_request *q;
};

static void
history_committed(int err, void *cookie)
{
	_cleanup_free_ struct history_call *c = cookie;
	struct refusal r;

	if (err < 0) {
		refusal_errno(&r, err, "history");
		server_reply_refusal(c->q, &r);
	} else {
		wait_for(c->agent, c->q, try_history, NULL, 0);
	}
}

/* What is read may be lost nowhere afterwards. */
void
streams_history(struct task_agent *a, struct server_request *q)
{
	struct history_call *c = xcalloc(1, sizeof *c);

	*c = (struct history_call){ a, q };
	store_commit(a->store, history_committed, c);
}
