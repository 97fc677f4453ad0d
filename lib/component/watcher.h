/*
 * watcher - report components that came back, once a burst.
 *
 * After a trigger (component/trigger.h) the watcher waits until things are quiet,
 * scans all components and compares them with the last snapshot that was acted
 * on (component/snapshot.h).  The differences are offered to the caller.  Only
 * when the caller reports that they were acted on is the new snapshot
 * committed; else the watcher scans again after a pause that grows.  So a
 * trigger that is lost or comes twice, and a failure of the caller, neither
 * lose nor double an arrival.
 *
 * What the watcher saw last is not what the agent saw last.  So it also offers
 *	- a component that was reported as removed and is back at the next scan;
 *	- a component that the agent waits for and that is online: once for each
 *	  evaluation of the agent, and not again before 10 s, 20 s, ... up to the
 *	  rescan interval have passed (cause "agent-waiting");
 *	- all that is online, once when the watcher starts while the agent runs, and
 *	  for an agent that does not report what it waits for also once for each
 *	  incarnation that began before the scan (cause "agent-start").
 *
 * A scan at which an inventory was refused says nothing of that inventory's
 * components.  Without a snapshot the first scan is the baseline.
 */
#ifndef COMPONENT_WATCHER_H
#define COMPONENT_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "component/missed.h"
#include "component/trigger.h"

struct watcher_spec {
	struct trigger_spec triggers;	/* with the inventories that are scanned */
	gid_t group;			/* may write an inventory with probes, too; (gid_t)-1 */
	const char *state;		/* the snapshot's file; NULL for none */
	int64_t settle_ms;		/* quiet for so long; at most WATCHER_UNSETTLED times that */
	int64_t rescan_ms, poll_ms;	/* 0 for never */
	bool all;			/* offer changes and departures as well */
	bool once;			/* one scan, no triggers */
};

enum { WATCHER_UNSETTLED = 10 };

struct watcher_callbacks {
	/* Act on EVENTS (at least one), an array; watcher_acted() when done. */
	void (*offer)(struct json events, void *cookie);
	/* What is wrong (EXIT_OK: only odd); not repeated while it stays so. */
	void (*problem)(enum exit_status status, const char *text, void *cookie);
	/* The first scan is done, and WHAT is monitored; a scan follows every SCAN_MS, 0 for never. */
	void (*ready)(const char *what, int64_t scan_ms, void *cookie);
	/* Nothing more to do: the one scan is done, or the first one failed. */
	void (*end)(enum exit_status status, void *cookie);
	/* Fill A with the agent as it is now.  NULL where no agent is involved. */
	missed_agent_fn *agent;
	void *cookie;
};

struct watcher;

/*
 * NULL with F filled where the state file is damaged (EXIT_TROUBLE) or in use by
 * another process (EXIT_BUSY).  SPEC's strings and L must live as long.
 */
struct watcher *watcher_new(struct loop *l, const struct watcher_spec *spec,
    const struct watcher_callbacks *callbacks, struct fail *f);

/* What was offered was acted on, or not: WHY for the user. */
void watcher_acted(struct watcher *w, bool acted, const char *why);

/* The agent may have changed: scan if there may be something to offer. */
void watcher_agent_changed(struct watcher *w);

/* No more scans: nothing will be offered; what is offered can still be acted on. */
void watcher_stop(struct watcher *w);

/*
 * After loop_run(); W may be NULL.  The watcher has a stage of the shutdown (base/loop.h),
 * which runs after those of what was made later: so the caller acts on events first.
 */
void watcher_free(struct watcher *w);

#endif
