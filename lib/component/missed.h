/*
 * missed - the components that the agent may have missed, and so are offered to it
 * although no scan shows a change: what it waits for, and what came before it was
 * served (component/watcher.h lists the cases).
 *
 * One scan is missed_begin_scan(), missed_end_scan(), missed_add(); when the events
 * were acted on, missed_acted().
 */
#ifndef COMPONENT_MISSED_H
#define COMPONENT_MISSED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/* The agent that acts on events, as seen from outside. */
struct watcher_agent {
	int running;			/* 1, 0, or -1 if unknown */
	bool reports_waiting;		/* it says which components it waits for */
	bool is_settled;		/* it is idle and no request is pending */
	char incarnation[256];		/* "" where unknown */
	char evaluation[320];		/* id of its last evaluation */
	struct json waiting;		/* ids, an object for its keys; the reader's to release */
};

/* Fill A, of which only .waiting is set (absent). */
typedef void missed_agent_fn(struct watcher_agent *a, void *cookie);

struct missed;

/*
 * AGENT reads the agent with COOKIE; NULL where none is involved.  Offers pause for
 * MAX_PAUSE_MS at most.  ONCE: there is one scan only, and its start is no start of
 * a watcher.
 */
struct missed *missed_new(missed_agent_fn *agent, void *cookie, int64_t max_pause_ms, bool once);

/* M may be NULL. */
void missed_free(struct missed *m);

/* The incarnation served last, as the state file has it: a string or absent.  Borrowed; taken over. */
struct json missed_served(const struct missed *m);
void missed_set_served(struct missed *m, struct json served);

void missed_begin_scan(struct missed *m);
void missed_end_scan(struct missed *m);

/*
 * Add to EVENTS of the scan of COMPONENTS what the agent may not know of.  Returns how
 * many ms to wait before the next offer of a component that was offered lately; 0 for
 * none such.
 */
int64_t missed_add(struct missed *m, struct json components, struct json *events);

/* The events were delivered, so the agent knows of them.  Is another incarnation served now? */
bool missed_acted(struct missed *m);

/* Why to scan, as the agent may have changed: "agent-waiting", "agent-start", or NULL. */
const char *missed_cause(struct missed *m);

#endif
