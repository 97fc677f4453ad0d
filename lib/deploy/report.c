#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "component/component.h"
#include "deploy/report.h"

/* The member "rejoin" of the twin; the caller's to release. */
static struct json
rejoin_member(const struct report *r)
{
	struct json v = json_get(r->twin, "rejoin");

	return json_is_object(v) ? v : json_object();
}

static struct json
agent_property(const struct report *r)
{
	_cleanup_json_ struct json component = json_get(r->twin, "deviceUpdate");

	return json_get(component, "agent");
}

/* V becomes the twin's "rejoin" and is taken. */
static void
set_ours(struct report *r, struct json v)
{
	json_set(&r->twin, "rejoin", v);
}

static char *
result_key(struct json record)
{
	const char *step = json_get_text(record, "step");
	const char *component = json_get_text(record, "component");

	return xasprintf("%s %s", step ? step : "", component ? component : "");
}

void
report_init(struct report *r, struct json twin)
{
	_cleanup_json_ struct json mine = JSON_ABSENT;
	_cleanup_json_ struct json list = JSON_ABSENT;
	const char *workflow;

	r->twin = json_is_object(twin) ? json_copy(twin) : json_object();
	r->results = json_object();
	mine = rejoin_member(r);
	list = json_get(mine, "results");
	workflow = report_workflow(r);
	for (size_t i = 0; i < json_count(list); i++) {
		_cleanup_json_ struct json record = json_at(list, i);
		_cleanup_free_ char *key = result_key(record);
		const char *of = json_get_text(record, "workflow");

		/* one that was killed at work had not yet forgotten those of another */
		if (workflow && of && strcmp(of, workflow) == 0)
			json_set(&r->results, key, json_copy(record));
	}
}

void
report_release(struct report *r)
{
	json_release(&r->twin);
	json_release(&r->results);
}

/* KEY of OBJECT as text that lives as long as the twin, which holds it. */
static const char *
member_borrow(struct json object, const char *key)
{
	const char *s = json_get_text(object, key);

	json_release(&object);
	return s;
}

const char *
report_completed(const struct report *r)
{
	return member_borrow(rejoin_member(r), "completed");
}

void
report_set_completed(struct report *r, const char *workflow)
{
	struct json mine = rejoin_member(r);

	json_set_text(&mine, "completed", workflow);
	set_ours(r, mine);
}

const char *
report_workflow(const struct report *r)
{
	_cleanup_json_ struct json agent = agent_property(r);

	return member_borrow(json_get(agent, "workflow"), "id");
}

void
report_begin(struct report *r, const struct goal *g)
{
	const char *was = report_workflow(r);

	if (was && strcmp(was, g->id) == 0)
		return;
	json_release(&r->results);
	r->results = json_object();
}

/* True for equal results; time and id are not compared. */
static bool
is_same(struct json a, struct json b)
{
	static const char *const keys[] = {
		"workflow", "phase", "resultCode", "extendedResultCode", "details",
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		_cleanup_json_ struct json x = json_get(a, keys[i]);
		_cleanup_json_ struct json y = json_get(b, keys[i]);

		if (!json_equal(x, y))
			return false;
	}
	return true;
}

bool
report_is_news(const struct report *r, struct json record)
{
	_cleanup_free_ char *key = result_key(record);
	_cleanup_json_ struct json was = json_get(r->results, key);

	return !json_is_object(was) || !is_same(was, record);
}

void
report_add_result(struct report *r, struct json record)
{
	_cleanup_free_ char *key = result_key(record);
	const char *component = json_get_text(record, "component");

	/* "no matching components" is over */
	if (component && *component) {
		_cleanup_free_ char *none = xasprintf("%s ", json_get_text(record, "step"));

		json_remove(&r->results, none);
	}
	json_set(&r->results, key, record);
}

/* "30501028": the hexadecimal form in which the service shows the code. */
static struct json
install_result(double code, double erc, const char *details)
{
	struct json v = json_object();
	char hex[16];

	snprintf(hex, sizeof hex, "%08X", (unsigned)(int32_t)erc);
	json_set(&v, "resultCode", json_number(code));
	json_set_text(&v, "extendedResultCodes", hex);
	json_set_text(&v, "resultDetails", details && *details ? details : NULL);
	return v;
}

/* A step's result is that of its first failure, else of its last component. */
static void
add_step_result(struct json *steps, struct json record)
{
	_cleanup_free_ char *name = xstrdup(json_get_text(record, "step"));
	_cleanup_json_ struct json code = json_get(record, "resultCode");
	_cleanup_json_ struct json erc = json_get(record, "extendedResultCode");
	_cleanup_json_ struct json was = JSON_ABSENT;
	_cleanup_json_ struct json was_code = JSON_ABSENT;

	name[strcspn(name, ".")] = '\0';
	was = json_get(*steps, name);
	was_code = json_get(was, "resultCode");
	if (json_is_object(was) && json_get_number(was_code) <= 0)
		return;
	json_set(steps, name, install_result(json_get_number(code), json_get_number(erc),
	    json_get_text(record, "details")));
}

/*
 * Is RECORD a failure of an earlier cycle?  So it is where this one had none, and where its component
 * is waited for now.  It stays the last result of its component.
 */
static bool
is_past_failure(struct json record, const struct cycle_outcome *o)
{
	_cleanup_json_ struct json code = json_get(record, "resultCode");
	const char *component = json_get_text(record, "component");

	if (json_get_number(code) > 0 || o->cancelled)
		return false;
	for (size_t i = 0; i < json_count(o->waiting); i++) {
		_cleanup_json_ struct json c = json_at(o->waiting, i);

		if (component && strcmp(component, component_id(c)) == 0)
			return true;
	}
	return !o->failed;
}

static struct json
step_results(const struct report *r, const struct cycle_outcome *o)
{
	struct json steps = json_object();

	for (struct json_iter it = json_begin(r->results); json_next(&it); )
		if (!is_past_failure(it.value, o))
			add_step_result(&steps, it.value);
	return steps;
}

/* AGENT becomes the reported property. */
static void
set_agent(struct report *r, struct json agent)
{
	struct json component = json_object();

	json_set_text(&component, "__t", "c");
	json_set(&component, "agent", agent);
	json_set(&r->twin, "deviceUpdate", component);
}

void
report_set_state(struct report *r, const struct goal *g, int state)
{
	struct json agent = json_object();
	struct json last = json_object();

	json_set(&last, "stepResults", json_null());
	json_set(&last, "resultCode", json_number(0));
	json_set_text(&last, "extendedResultCodes", "00000000");
	json_set(&last, "resultDetails", json_null());
	json_set(&agent, "lastInstallResult", last);
	json_set(&agent, "state", json_number(state));
	json_set(&agent, "workflow", json_copy(g->workflow));
	set_agent(r, agent);
}

/* Object: id -> "since" of each component that was waited for before. */
static struct json
waiting_since(const struct report *r)
{
	_cleanup_json_ struct json mine = rejoin_member(r);
	_cleanup_json_ struct json list = json_get(mine, "waiting");
	struct json out = json_object();

	for (size_t i = 0; i < json_count(list); i++) {
		_cleanup_json_ struct json w = json_at(list, i);
		const char *id = json_get_text(w, "id"), *since = json_get_text(w, "since");

		if (id && since)
			json_set_text(&out, id, since);
	}
	return out;
}

/* The components in WAITING; one that was waited for before keeps its "since". */
static struct json
waiting_list(const struct report *r, struct json waiting, const char *now)
{
	_cleanup_json_ struct json before = waiting_since(r);
	struct json out = json_array();

	for (size_t i = 0; i < json_count(waiting); i++) {
		_cleanup_json_ struct json c = json_at(waiting, i);
		const char *since = json_get_text(before, component_id(c));
		struct json entry = json_object();

		json_set_text(&entry, "id", component_id(c));
		if (json_get_text(c, "name"))
			json_set_text(&entry, "name", json_get_text(c, "name"));
		json_set_text(&entry, "since", since ? since : now);
		json_append(&out, entry);
	}
	return out;
}

static struct json
result_list(const struct report *r)
{
	struct json list = json_array();

	for (struct json_iter it = json_begin(r->results); json_next(&it); )
		json_append(&list, json_copy(it.value));
	return list;
}

/* It goes on after a reboot, when it may, or when a run of an earlier agent has ended. */
static bool
is_unfinished(const struct cycle_outcome *o)
{
	return o->need != ATTEMPTS_NEED_NONE || o->is_on_hold || o->is_occupied;
}

void
report_end(struct report *r, const struct goal *g, const struct cycle_outcome *o, const char *now)
{
	struct json agent = json_object();
	struct json last = install_result(o->code, o->erc, o->details);
	struct json mine = rejoin_member(r);

	json_set(&last, "stepResults", step_results(r, o));
	json_set(&agent, "lastInstallResult", last);
	json_set(&agent, "state", json_number(o->failed ? REPORT_FAILED : is_unfinished(o) ? REPORT_IN_PROGRESS :
	    REPORT_IDLE));
	json_set(&agent, "workflow", json_copy(g->workflow));
	if (!o->failed && !o->cancelled && !is_unfinished(o) && g->manifest) {
		_cleanup_free_ char *id = manifest_update_id(g->manifest);

		json_set_text(&agent, "installedUpdateId", id);
	}
	json_set(&mine, "waiting", waiting_list(r, o->waiting, now));
	json_set(&mine, "held", json_kind(o->held) == JSON_NONE ? json_array() : json_copy(o->held));
	json_set(&mine, "results", result_list(r));
	set_agent(r, agent);
	set_ours(r, mine);
}

int
report_has_failed(const struct report *r)
{
	_cleanup_json_ struct json agent = agent_property(r);
	_cleanup_json_ struct json state = json_get(agent, "state");

	return json_is_object(agent) ? json_get_number(state) == REPORT_FAILED : -1;
}

size_t
report_waiting(const struct report *r)
{
	_cleanup_json_ struct json mine = rejoin_member(r);
	_cleanup_json_ struct json waiting = json_get(mine, "waiting");

	return json_count(waiting);
}
