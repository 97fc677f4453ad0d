#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/missed.h"
#include "component/offer.h"
#include "component/snapshot.h"

struct missed {
	missed_agent_fn *read;
	void *cookie;
	bool once;
	struct watcher_agent agent;	/* at the end of this scan */
	char began_with[256];		/* its incarnation when the scan began */
	struct json served;		/* the incarnation served last, a string; or absent */
	bool at_start;			/* nothing was offered to it yet */
	struct json offered_waiting;	/* ids that it waits for and that are offered now */
	struct offer_table *offers;
	char evaluation[320];		/* the one that the last scan took into account */
};

static void
agent_read(const struct missed *m, struct watcher_agent *a)
{
	*a = (struct watcher_agent){ .waiting = JSON_ABSENT };
	if (m->read)
		m->read(a, m->cookie);
}

static bool
is_served(const struct missed *m, const struct watcher_agent *a)
{
	const char *served = json_get_string(m->served);

	return !*a->incarnation || (served && strcmp(served, a->incarnation) == 0);
}

/*
 * May the agent have evaluated before what this scan saw?  At the start nothing is
 * known of the time before: a part may have been replaced by one like the snapshot's, and
 * an agent that has updated the first does not wait for the second.  Later an agent
 * that reports what it waits for has missed nothing else; of one that does not, an
 * incarnation is served once, unless it began after the scan did: then it evaluates anew.
 */
static bool
may_have_evaluated(const struct missed *m)
{
	const struct watcher_agent *a = &m->agent;

	if (!m->read || a->running == 0)
		return false;
	if (m->at_start && !m->once)
		return true;
	return !a->reports_waiting && !is_served(m, a) && strcmp(m->began_with, a->incarnation) == 0;
}

/* Is the component ID, which the agent waits for, to be offered now?  If later, LATER_MS is at most that. */
static bool
is_offer_due(const struct missed *m, const char *id, int64_t *later_ms)
{
	_cleanup_json_ struct json wanted = json_get(m->agent.waiting, id);
	int64_t ms;

	if (json_kind(wanted) == JSON_NONE)
		return false;
	ms = offer_table_delay(m->offers, id, m->agent.evaluation, clock_mono_ms());
	if (ms > 0 && (*later_ms == 0 || ms < *later_ms))
		*later_ms = ms;
	return ms == 0;
}

int64_t
missed_add(struct missed *m, struct json components, struct json *events)
{
	_cleanup_json_ struct json ids = snapshot_waking_ids(*events);
	const struct watcher_agent *a = &m->agent;
	const bool all = may_have_evaluated(m), waits = a->reports_waiting && a->is_settled;
	int64_t later_ms = 0;

	json_release(&m->offered_waiting);
	m->offered_waiting = json_object();
	for (size_t i = 0; (all || waits) && i < json_count(components); i++) {
		_cleanup_json_ struct json c = json_at(components, i), event = JSON_ABSENT, wanted = JSON_ABSENT;
		bool due;

		if (component_state(c) != COMPONENT_ONLINE)
			continue;
		event = json_get(ids, component_id(c));
		wanted = json_get(a->waiting, component_id(c));
		due = json_kind(event) == JSON_NONE && (all || is_offer_due(m, component_id(c), &later_ms));
		if (due)
			snapshot_add_arrival(events, c, all ? "agent-start" : "agent-waiting");
		if (json_kind(wanted) != JSON_NONE && (due || json_kind(event) != JSON_NONE))
			json_set(&m->offered_waiting, component_id(c), json_null());
	}
	if (waits) {
		offer_table_keep(m->offers, a->waiting);
		snprintf(m->evaluation, sizeof m->evaluation, "%s", a->evaluation);
	}
	return later_ms;
}

bool
missed_acted(struct missed *m)
{
	bool is_new = m->agent.running != 0 && !is_served(m, &m->agent) &&
	    strcmp(m->began_with, m->agent.incarnation) == 0;

	for (struct json_iter it = json_begin(m->offered_waiting); json_next(&it); )
		offer_table_note(m->offers, it.key, m->agent.evaluation, clock_mono_ms());
	if (is_new)
		missed_set_served(m, json_string(m->agent.incarnation));
	m->at_start = false;
	return is_new;
}

const char *
missed_cause(struct missed *m)
{
	const char *cause = NULL;
	struct watcher_agent a;

	agent_read(m, &a);
	if (!a.reports_waiting)
		cause = a.running != 0 && !is_served(m, &a) ? "agent-start" : NULL;
	else if (a.is_settled && json_count(a.waiting) && strcmp(a.evaluation, m->evaluation) != 0)
		cause = "agent-waiting";
	json_release(&a.waiting);
	return cause;
}

void
missed_begin_scan(struct missed *m)
{
	struct watcher_agent a;

	agent_read(m, &a);
	snprintf(m->began_with, sizeof m->began_with, "%s", a.incarnation);
	json_release(&a.waiting);
}

void
missed_end_scan(struct missed *m)
{
	json_release(&m->agent.waiting);
	agent_read(m, &m->agent);
}

struct json
missed_served(const struct missed *m)
{
	return m->served;
}

void
missed_set_served(struct missed *m, struct json served)
{
	json_release(&m->served);
	m->served = served;
}

struct missed *
missed_new(missed_agent_fn *agent, void *cookie, int64_t max_pause_ms, bool once)
{
	struct missed *m = xcalloc(1, sizeof *m);

	*m = (struct missed){ .read = agent, .cookie = cookie, .once = once, .at_start = true,
	    .served = JSON_ABSENT, .agent.waiting = JSON_ABSENT, .offered_waiting = json_object(),
	    .offers = offer_table_new(max_pause_ms) };
	return m;
}

void
missed_free(struct missed *m)
{
	if (!m)
		return;
	offer_table_free(m->offers);
	json_release(&m->served);
	json_release(&m->agent.waiting);
	json_release(&m->offered_waiting);
	free(m);
}
