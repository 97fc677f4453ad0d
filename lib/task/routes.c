#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "task/admission.h"
#include "task/routes.h"
#include "task/routes_params.h"
#include "task/streams.h"

/* A request being answered: its client, and the parts of its path. */
struct call {
	struct task_agent *agent;
	struct server_request *q;
	struct json body;		/* of a POST */
	char parts[SERVER_PARTS][SERVER_PART_MAX];
	int n_parts;
	bool is_admin;
};

static int64_t
now_ms(void)
{
	return lease_now_ns() / 1000000;
}

/* The number KEY of the body, which the rules have checked; OTHERWISE where there is none. */
static int64_t
number_of(const struct call *c, const char *key, int64_t otherwise)
{
	return json_get_whole_or(c->body, key, otherwise);
}

/* A task that the caller may see; else the reply is 404, as if there were none. */
static struct taskrecord *
task_of(struct call *c, const char *id)
{
	struct taskrecord *t = NULL;
	int64_t n;

	if (num_parse(id, 1, INT64_MAX, &n) == 0)
		t = store_find(c->agent->store, n);
	if (t && (t->owner == c->q->uid || c->is_admin))
		return t;
	server_reply_error(c->q, 404, "no-task", "no task %s", id);
	return NULL;
}

static struct task_session *
session_of(struct call *c, int64_t id)
{
	struct task_session *s = sessions_find(store_sessions(c->agent->store), id);

	if (s && s->owner == c->q->uid && session_is_valid(s, now_ms()))
		return s;
	server_reply_error(c->q, 404, "no-session", "session %jd is not known, or its lease has expired", (intmax_t)id);
	return NULL;
}

/* --- sessions */

/* All tasks of the owner: what the controller compares with what it knows. */
static struct json
tasks_of_owner(struct call *c)
{
	struct json list = json_array();
	const struct store *s = c->agent->store;

	for (size_t i = 0; i < store_task_count(s); i++)
		if (store_at(s, i)->owner == c->q->uid)
			json_append(&list, taskrecord_describe(store_at(s, i)));
	return list;
}

static bool
parse_session(struct call *c, struct task_session *s)
{
	const char *name = json_get_text(c->body, "controller"), *on_loss = json_get_text(c->body, "on_loss");

	*s = (struct task_session){ .owner = c->q->uid, .id = number_of(c, "id", 0), .run = number_of(c, "run", 0),
	    .period_ms = number_of(c, "period_ms", 0), .lease_ms = number_of(c, "lease_ms", 0) };
	s->leave = on_loss && strcmp(on_loss, "leave") == 0;
	snprintf(s->controller, sizeof s->controller, "%s", name ? name : "");
	if (s->leave) {
		s->lease_ms = s->period_ms;
		return true;
	}
	if (s->lease_ms == 0)
		server_reply_error(c->q, 400, "usage", "\"lease_ms\": is missing; on_loss \"kill\" needs it");
	else if (2 * s->period_ms > s->lease_ms)
		server_reply_error(c->q, 400, "usage", "\"period_ms\": must be at most half of lease_ms, %jd, not %jd",
		    (intmax_t)s->lease_ms / 2, (intmax_t)s->period_ms);
	else
		return true;
	return false;
}

/* "above" is for a controller whose clock was set back: a new id is to be over it. */
static void
refuse_session(struct call *c, const struct task_session *wanted, const struct refusal *r)
{
	_cleanup_json_ struct json v = json_object();

	json_set_text(&v, "error", r->name);
	json_set_text(&v, "reason", r->text);
	if (r->status == 404)
		json_set(&v, "above", json_number((double)sessions_floor(store_sessions(c->agent->store), wanted)));
	server_reply(c->q, r->status, v);
}

static void
route_couple(struct call *c)
{
	_cleanup_json_ struct json v = json_object();
	struct store *s = c->agent->store;
	const struct task_session *session;
	struct task_session wanted;
	struct refusal r;

	if (!parse_session(c, &wanted))
		return;
	session = store_couple(s, &wanted, &r);
	if (!session) {
		refuse_session(c, &wanted, &r);
		return;
	}
	json_set(&v, "session", json_number((double)session->id));
	json_set(&v, "store", json_number((double)store_id(s)));
	json_set(&v, "taskd_run", json_number((double)c->agent->run));
	json_set_text(&v, "boot", store_boot(s));
	json_set(&v, "now", json_number((double)now_ms()));
	json_set(&v, "lease_ms", json_number((double)session->lease_ms));
	json_set(&v, "tasks", tasks_of_owner(c));
	json_set(&v, "history", json_number((double)taskhistory_last(store_history(s))));
	server_reply(c->q, 200, v);
}

static struct json
changed_since(struct call *c, const struct task_session *s, int64_t count)
{
	struct json list = json_array();

	for (size_t i = 0; i < store_task_count(c->agent->store); i++) {
		const struct taskrecord *t = store_at(c->agent->store, i);

		if (t->session == s->id && t->changed > count)
			json_append(&list, json_number((double)t->id));
	}
	return list;
}

/* The lease is on the disk before the beat is answered. */
static int
renew_lease(struct call *c, struct task_session *s, const struct task_session *before)
{
	struct refusal r;
	int e = s->leave ? 0 : sessions_renew(store_sessions(c->agent->store), s);

	if (e < 0) {
		*s = *before;
		refusal_errno(&r, e, "lease");
		server_reply_refusal(c->q, &r);
		return e;
	}
	s->told_before = s->told;
	s->told = store_changes(c->agent->store);
	return 0;
}

static void
route_beat(struct call *c)
{
	_cleanup_json_ struct json v = json_object();
	const int64_t id = number_of(c, "session", 0), n = number_of(c, "n", 0), seen = number_of(c, "seen", 0);
	struct task_session *s = session_of(c, id), before;

	if (!s)
		return;
	before = *s;
	switch (session_beat(s, n, seen, now_ms())) {
	case SESSION_EXPIRED:
		server_reply_error(c->q, 404, "no-session", "the lease of session %jd has expired", (intmax_t)id);
		return;
	case SESSION_DECREASED:
		server_reply_error(c->q, 409, "decreased", "beat %jd after beat %jd", (intmax_t)n, (intmax_t)s->n);
		return;
	case SESSION_RENEWED:
		if (renew_lease(c, s, &before) < 0)
			return;
		break;
	case SESSION_DUPLICATE:
		break;
	}
	json_set(&v, "n", json_number((double)n));
	json_set(&v, "now", json_number((double)now_ms()));
	json_set(&v, "taskd_run", json_number((double)c->agent->run));
	json_set(&v, "changed", changed_since(c, s, s->told_before));
	server_reply(c->q, 200, v);
}

/* --- tasks */

static void
reply_task(struct call *c, int status, const struct taskrecord *t)
{
	_cleanup_json_ struct json v = taskrecord_describe(t);

	server_reply(c->q, status, v);
}

static void
task_answered(struct taskrecord *t, const struct refusal *r, int status, struct server_request *q)
{
	_cleanup_json_ struct json v = t ? taskrecord_describe(t) : JSON_ABSENT;

	if (t)
		server_reply(q, status, v);
	else
		server_reply_refusal(q, r);
}

static void
task_accepted(struct taskrecord *t, const struct refusal *r, void *cookie)
{
	task_answered(t, r, 202, cookie);
}

static void
task_was_over(struct taskrecord *t, const struct refusal *r, void *cookie)
{
	task_answered(t, r, 200, cookie);
}

static void
route_submit(struct call *c)
{
	admission_request(c->agent->store, c->q->uid, c->is_admin, c->body, task_accepted, c->q);
}

/* Does T pass the query's owner, state and after? */
static bool
is_listed(struct call *c, const struct taskrecord *t)
{
	const int64_t owner = server_query_number(c->q, "owner", -2);
	const int64_t after = server_query_number(c->q, "after", 0);
	const char *state = server_query(c->q, "state");

	return (t->owner == c->q->uid || c->is_admin) && (owner == -2 || (int64_t)t->owner == owner) &&
	    (!state || strcmp(state, taskrecord_state_name(t->state)) == 0) && t->id > after;
}

static void
list_tasks(struct call *c)
{
	_cleanup_json_ struct json v = json_object();
	struct json list = json_array();

	for (size_t i = 0; i < store_task_count(c->agent->store); i++)
		if (is_listed(c, store_at(c->agent->store, i)))
			json_append(&list, taskrecord_describe(store_at(c->agent->store, i)));
	json_set(&v, "tasks", list);
	server_reply(c->q, 200, v);
}

static void
kill_task(struct call *c, struct taskrecord *t)
{
	store_kill(t, (int)number_of(c, "signal", SIGTERM), number_of(c, "grace_ms", -1),
	    taskrecord_is_over(t) ? task_was_over : task_accepted, c->q);
}

static void
set_policy(struct call *c, struct taskrecord *t)
{
	const char *on_loss = json_get_text(c->body, "on_loss");
	struct refusal r;
	int e;

	if (strcmp(on_loss, "kill") == 0 && !session_of(c, t->session))
		return;
	e = store_set_session(t, t->session, on_loss[0] == 'l', &r);
	if (e < 0)
		server_reply_refusal(c->q, &r);
	else
		reply_task(c, 200, t);
}

static void
route_adopt(struct call *c, struct taskrecord *t)
{
	const int64_t id = number_of(c, "session", 0);
	const struct task_session *s = session_of(c, id), *other;
	struct refusal r;

	if (!s)
		return;
	other = t->session && !t->leave ? sessions_find(store_sessions(c->agent->store), t->session) : NULL;
	if (other && other->id != id && session_is_valid(other, now_ms())) {
		server_reply_error(c->q, 409, "held", "the lease of session %jd is valid", (intmax_t)other->id);
		return;
	}
	if (store_set_session(t, id, s->leave, &r) < 0)
		server_reply_refusal(c->q, &r);
	else
		reply_task(c, 200, t);
}

/* --- release */

static void
refused_item(struct json *list, int64_t id, const struct refusal *r)
{
	struct json v = json_object();

	json_set(&v, "id", json_number((double)id));
	json_set_text(&v, "error", r->name);
	json_set_text(&v, "reason", r->text);
	json_append(list, v);
}

/* A release, until the ends of its tasks are on the disk. */
struct release_call {
	struct task_agent *agent;
	struct server_request *q;
	struct json tasks;
	int64_t history;
	bool is_admin;
};

/*
 * Was the task ID, which is not there, released before?  A release that is sent again
 * has the same answer.  It also has where the end may have left the history.
 */
static bool
was_released(const struct release_call *c, int64_t id)
{
	const struct taskhistory *h = store_history(c->agent->store);

	if (taskhistory_has_end(h, id))
		return c->is_admin || taskhistory_has_end_of(h, c->q->uid, id);
	return id > store_id(c->agent->store) && taskhistory_may_have_dropped(h, c->q->uid, id);
}

/* Release the task ID; R is filled where it is refused.  Another user's is refused as if there were none. */
static int
release_task(const struct release_call *c, int64_t id, struct refusal *r)
{
	struct taskrecord *t = store_find(c->agent->store, id);

	if (t && (t->owner == c->q->uid || c->is_admin))
		return store_release(t, r);
	if (!t && was_released(c, id))
		return 0;
	return refusal_set(r, 404, "no-task", "no task %jd", (intmax_t)id);
}

static void
release_tasks(struct release_call *c)
{
	_cleanup_json_ struct json v = json_object();
	struct json released = json_array(), refused = json_array();

	for (size_t i = 0; i < json_count(c->tasks); i++) {
		_cleanup_json_ struct json item = json_at(c->tasks, i);
		struct refusal r;
		int64_t id;

		if (!json_get_whole(item, &id))
			continue;
		if (release_task(c, id, &r) < 0)
			refused_item(&refused, id, &r);
		else
			json_append(&released, json_number((double)id));
	}
	taskhistory_release(store_history(c->agent->store), c->q->uid, c->history);
	json_set(&v, "released", released);
	json_set(&v, "refused", refused);
	server_reply(c->q, 200, v);
}

/* What could not be brought to the disk is refused, task by task. */
static void
release_committed(int err, void *cookie)
{
	struct release_call *c = cookie;

	(void)err;
	release_tasks(c);
	json_release(&c->tasks);
	free(c);
}

static void
route_release(struct call *c)
{
	_cleanup_json_ struct json tasks = json_get(c->body, "tasks");
	const int64_t here = store_id(c->agent->store), of = number_of(c, "store", here);
	struct release_call *r;

	if (of != here) {
		server_reply_error(c->q, 410, "other-store", "the controller has the history of store %jd, and this is store "
		    "%jd; nothing was released", (intmax_t)of, (intmax_t)here);
		return;
	}
	r = xcalloc(1, sizeof *r);
	*r = (struct release_call){ c->agent, c->q, json_copy(tasks), number_of(c, "history", 0),
	    c->is_admin };
	store_commit(c->agent->store, release_committed, r);
}

/* --- the table */

static void
get_task(struct call *c, struct taskrecord *t)
{
	reply_task(c, 200, t);
}

static void
get_output(struct call *c, struct taskrecord *t)
{
	(void)t;
	streams_task(c->agent, c->q);
}

static void
get_session_output(struct call *c)
{
	streams_session(c->agent, c->q);
}

static void
get_history(struct call *c)
{
	streams_history(c->agent, c->q);
}

/* PARAMS: of a GET its query, of a POST the members of its body; NULL: none.  A POST has no query. */
static const struct route {
	const char *method, *path;	/* "1/beat"; or what follows "1/tasks/ID/" */
	void (*plain)(struct call *c);
	void (*task)(struct call *c, struct taskrecord *t);
	const struct params_rule *params;
} table[] = {
	{ "POST", "session", route_couple, NULL, routes_params_session },
	{ "POST", "beat", route_beat, NULL, routes_params_beat },
	{ "POST", "tasks", route_submit, NULL, submit_params },
	{ "GET", "tasks", list_tasks, NULL, routes_params_list },
	{ "GET", "output", get_session_output, NULL, routes_params_session_output },
	{ "GET", "history", get_history, NULL, routes_params_history },
	{ "POST", "release", route_release, NULL, routes_params_release },
	{ "GET", "", NULL, get_task, NULL },
	{ "GET", "out", NULL, get_output, routes_params_stream },
	{ "GET", "err", NULL, get_output, routes_params_stream },
	{ "GET", "output", NULL, get_output, routes_params_output },
	{ "POST", "kill", NULL, kill_task, routes_params_kill },
	{ "POST", "policy", NULL, set_policy, routes_params_policy },
	{ "POST", "adopt", NULL, route_adopt, routes_params_adopt },
};

/* The route of a path; *PATH_KNOWN: another method has one. */
static const struct route *
find_route(const struct call *c, bool *path_known)
{
	const bool of_task = c->n_parts > 2 && strcmp(c->parts[1], "tasks") == 0;
	const char *name = of_task ? (c->n_parts > 3 ? c->parts[3] : "") : c->parts[1];

	*path_known = false;
	if (c->n_parts < 2 || c->n_parts > (of_task ? 4 : 2) || strcmp(c->parts[0], "1") != 0)
		return NULL;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if ((table[i].task != NULL) != of_task || strcmp(table[i].path, name) != 0)
			continue;
		*path_known = true;
		if (strcmp(table[i].method, c->q->method) == 0)
			return &table[i];
	}
	return NULL;
}

static bool
parse_body(struct call *c)
{
	struct refusal r;
	struct fail f;

	if (params_check_size(c->q->body, c->q->body_len, &r) < 0) {
		server_reply_refusal(c->q, &r);
		return false;
	}
	if (json_parse("body", c->q->body, c->q->body_len, &c->body, &f) < 0) {
		server_reply_error(c->q, 400, "usage", "%s", f.text);
		return false;
	}
	if (json_is_object(c->body))
		return true;
	server_reply_error(c->q, 400, "usage", "body: not an object");
	return false;
}

/* A query while its parameters are checked, one by one. */
struct query_check {
	const struct params_rule *rules;
	bool seen[PARAMS_QUERY_MAX];
	struct refusal *refusal;
};

static bool
check_parameter(const char *name, const char *value, void *cookie)
{
	struct query_check *q = cookie;

	return params_check_query(q->rules, name, value, q->seen, q->refusal) == 0;
}

/* Query and body have what the route allows; else the reply is given. */
static bool
check_params(struct call *c, const struct route *route)
{
	const bool is_post = strcmp(route->method, "POST") == 0;
	struct refusal r;
	struct query_check query = { is_post ? NULL : route->params, { false }, &r };

	if (is_post && !parse_body(c))
		return false;
	if (server_each_query(c->q, check_parameter, &query) && params_check_missing(query.rules, query.seen, &r) == 0 &&
	    (!is_post || params_check_body(route->params, c->body, &r) == 0))
		return true;
	server_reply_refusal(c->q, &r);
	return false;
}

void
routes_handle(struct server_request *q, void *cookie)
{
	struct call c = { .agent = cookie, .q = q, .body = JSON_ABSENT, .is_admin = task_agent_is_admin(cookie, q->uid) };
	const struct route *route;
	struct taskrecord *t;
	bool path_known;

	c.n_parts = server_path_parts(q, c.parts);
	route = find_route(&c, &path_known);
	if (!route && path_known)
		server_reply_error(q, 405, "method", "%s does not serve %s", q->path, q->method);
	else if (!route)
		server_reply_error(q, 404, "no-path", "no such path: %.100s", q->path);
	else if (check_params(&c, route)) {
		if (route->plain)
			route->plain(&c);
		else if ((t = task_of(&c, c.parts[2])))
			route->task(&c, t);
	}
	json_release(&c.body);
}
