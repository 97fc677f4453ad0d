#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "deploy/report.h"

static struct json
record(const char *step, const char *component, double code, const char *details)
{
	struct json v = json_object();

	json_set_text(&v, "workflow", "w");
	json_set_text(&v, "step", step);
	json_set_text(&v, "component", component);
	json_set_text(&v, "phase", "apply");
	json_set(&v, "resultCode", json_number(code));
	json_set(&v, "extendedResultCode", json_number(0));
	json_set_text(&v, "details", details);
	return v;
}

static struct json
waiting(const char *id)
{
	struct json list = json_array(), c = json_object();

	json_set_text(&c, "id", id);
	json_append(&list, c);
	return list;
}

static struct goal
goal(const char *id)
{
	struct goal g = { .action = GOAL_PROCESS, .id = strdup(id), .workflow = json_object() };

	json_set_text(&g.workflow, "id", id);
	return g;
}

static void
release(struct goal *g)
{
	free(g->id);
	json_release(&g->workflow);
}

/* Only what was not known is news; another workflow begins anew. */
/* Add V, which is taken; was it news? */
static bool
add(struct report *r, struct json v)
{
	bool is_news = report_is_news(r, v);

	report_add_result(r, v);
	return is_news;
}

static void
check_news(void)
{
	struct goal g = goal("w"), other = goal("x");
	struct report r;

	report_init(&r, JSON_ABSENT);
	assert(report_has_failed(&r) == -1 && !report_completed(&r) && !report_workflow(&r));
	report_begin(&r, &g);
	assert(add(&r, record("step_0.0", "a", 700, "")));
	assert(!add(&r, record("step_0.0", "a", 700, "")));
	assert(add(&r, record("step_0.0", "b", 700, "")));
	assert(add(&r, record("step_0.0", "a", 0, "broken")));
	report_set_state(&r, &g, REPORT_IN_PROGRESS);
	report_begin(&r, &g);
	assert(!add(&r, record("step_0.0", "b", 700, "")));
	report_begin(&r, &other);
	assert(add(&r, record("step_0.0", "b", 700, "")));
	report_release(&r);
	release(&g);
	release(&other);
}

/* What is written is what is read again; a waiting component keeps its time. */
static void
check_round(void)
{
	struct goal g = goal("w");
	_cleanup_json_ struct json waiters = waiting("cam");
	const struct cycle_outcome o = { .failed = true, .code = 0, .erc = 0x30501003,
	    .details = "a: broken", .waiting = waiters };
	_cleanup_json_ struct json twin = JSON_ABSENT;
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct report r;

	report_init(&r, JSON_ABSENT);
	report_begin(&r, &g);
	report_add_result(&r, record("step_0.0", "a", 0, "broken"));
	report_add_result(&r, record("step_0.1", "b", 700, ""));
	report_end(&r, &g, &o, "T1");
	report_set_completed(&r, "before");
	assert(report_has_failed(&r) == 1 && report_waiting(&r) == 1);
	report_end(&r, &g, &o, "T2");
	json_format(r.twin, &text);
	assert(strstr(text.s, "\"since\":\"T1\"") && !strstr(text.s, "T2"));
	assert(strstr(text.s, "\"extendedResultCodes\":\"30501003\""));
	/* a step has the result of its first failure, whatever follows */
	assert(strstr(text.s, "\"stepResults\":{\"step_0\":{\"resultCode\":0"));
	twin = json_copy(r.twin);
	report_release(&r);

	report_init(&r, twin);
	assert(strcmp(report_completed(&r), "before") == 0 && strcmp(report_workflow(&r), "w") == 0);
	report_begin(&r, &g);
	assert(!add(&r, record("step_0.1", "b", 700, "")));
	report_release(&r);
	release(&g);
}

/* Killed when X had begun to work: what the file still has of W is not X's. */
static void
check_interrupted(void)
{
	struct goal w = goal("w"), x = goal("x");
	const struct cycle_outcome failed = { .failed = true, .details = "", .waiting = JSON_ABSENT };
	const struct cycle_outcome well = { .code = 700, .details = "", .waiting = JSON_ABSENT };
	_cleanup_json_ struct json twin = JSON_ABSENT;
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct report r;

	report_init(&r, JSON_ABSENT);
	report_begin(&r, &w);
	report_add_result(&r, record("step_0.0", "a", 0, "broken"));
	report_end(&r, &w, &failed, "T1");
	report_begin(&r, &x);
	report_set_state(&r, &x, REPORT_IN_PROGRESS);
	twin = json_copy(r.twin);
	report_release(&r);

	report_init(&r, twin);
	report_begin(&r, &x);
	report_end(&r, &x, &well, "T2");
	json_format(r.twin, &text);
	assert(!strstr(text.s, "broken"));
	report_release(&r);
	release(&w);
	release(&x);
}

/* The result of STEP is CODE; -1: it has none. */
static bool
step_is(const struct report *r, const char *step, double code)
{
	static const char *const path[] = { "deviceUpdate", "agent", "lastInstallResult", "stepResults" };
	struct json v = json_copy(r->twin);
	_cleanup_json_ struct json found = JSON_ABSENT;
	bool is;

	for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
		struct json next = json_get(v, path[i]);

		json_release(&v);
		v = next;
	}
	found = json_get(v, step);
	json_release(&v);
	if (!json_is_object(found))
		return code < 0;
	v = json_get(found, "resultCode");
	is = json_get_number(v) == code;
	json_release(&v);
	return is;
}

/* A failure of a cycle before is no failure of a step now; it stays the last result of its component. */
static void
check_past_failures(void)
{
	_cleanup_json_ struct json away = waiting("b");
	const struct cycle_outcome failed = { .failed = true, .details = "", .held_ms = -1 };
	const struct cycle_outcome failed_and_away = { .failed = true, .details = "", .waiting = away, .held_ms = -1 };
	const struct cycle_outcome good = { .code = 700, .details = "", .waiting = away, .held_ms = -1 };
	struct goal g = goal("w");
	struct report r;

	report_init(&r, JSON_ABSENT);
	report_begin(&r, &g);
	add(&r, record("step_0.0", "a", 700, ""));
	add(&r, record("step_0.0", "b", 0, "broken"));
	add(&r, record("step_1.0", "c", 0, "broken"));
	report_end(&r, &g, &failed, "now");
	assert(step_is(&r, "step_0", 0) && step_is(&r, "step_1", 0));
	/* b has gone */
	report_end(&r, &g, &failed_and_away, "now");
	assert(step_is(&r, "step_0", 700) && step_is(&r, "step_1", 0));
	/* and so has c, which is not even waited for */
	report_end(&r, &g, &good, "now");
	assert(step_is(&r, "step_0", 700) && step_is(&r, "step_1", -1));
	assert(!add(&r, record("step_0.0", "b", 0, "broken")));
	report_end(&r, &g, &failed, "now");
	assert(step_is(&r, "step_0", 0));
	report_release(&r);
	release(&g);
}

/* A list as long as an inventory may be is no reason to stand still. */
static void
check_many_waiting(void)
{
	enum { MANY = 50000 };
	struct goal g = goal("w");
	_cleanup_json_ struct json waiters = json_array();
	struct cycle_outcome o = { .code = 700, .details = "" };
	struct report r;

	for (int i = 0; i < MANY; i++) {
		_cleanup_free_ char *id = xasprintf("c%d", i);
		struct json c = json_object();

		json_set_text(&c, "id", id);
		json_append(&waiters, c);
	}
	o.waiting = waiters;
	report_init(&r, JSON_ABSENT);
	report_end(&r, &g, &o, "T1");
	alarm(60);
	report_end(&r, &g, &o, "T2");
	alarm(0);
	assert(report_waiting(&r) == MANY);
	report_release(&r);
	release(&g);
}

int
main(void)
{
	check_news();
	check_round();
	check_interrupted();
	check_past_failures();
	check_many_waiting();
	return 0;
}
