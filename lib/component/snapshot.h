/*
 * snapshot - the components as they were when they were last acted on, and what
 * has changed since.
 *
 * A snapshot is a JSON object with the members of each component that matter, by
 * id: id, state, name, group, manufacturer, model, serial, version, properties.
 * It is kept in a file, {"kind":"rejoin-watch snapshot","format":1,"time":T,
 * "components":{ID:RECORD,...},"incarnation":TEXT}: the incarnation of the
 * agent that was served last, where there is one.
 *
 * Between two scans a component has at most one event:
 *
 *	arrived		online; offline or unknown before, or removed in between
 *	readable	online; unreadable before
 *	swapped		online both times, but another part: one of name, group,
 *			manufacturer, model, serial (also properties.serial) differs,
 *			or the version is older (component/version.h)
 *	changed		anything else that matters: a version that rose, a part
 *			that arrived but cannot be read
 *	departed	offline or unknown; online or unreadable before
 *
 * The first three call for an evaluation.  The last two do not: they are what an
 * update itself causes, and the watcher must not react to its own work.
 */
#ifndef COMPONENT_SNAPSHOT_H
#define COMPONENT_SNAPSHOT_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"

/*
 * The snapshot of COMPONENTS, an array of records.  Components that COMPONENTS lacks
 * stay as they are in BEFORE, for a scan that was not complete; JSON_ABSENT for none.
 */
struct json snapshot_of(struct json components, struct json before);

/*
 * The events between the snapshots BEFORE and AFTER, which is that of COMPONENTS: an
 * array in the order of COMPONENTS, then the departures of unknown ones.  REMOVED is an
 * object whose keys are the ids that were reported as removed meanwhile.  An event is
 * the component's record with "event", "time" (now), "cause", and "was": the members
 * that differ, as they were (null where missing).  Unless ALL only the events that
 * call for an evaluation are in it.
 */
struct json snapshot_events(struct json before, struct json after, struct json components,
    struct json removed, const char *cause, bool all);

/* Add to EVENTS that COMPONENT arrived. */
void snapshot_add_arrival(struct json *events, struct json component, const char *cause);

/* The ids of those EVENTS that call for an evaluation: an object, for its keys; the caller's. */
struct json snapshot_waking_ids(struct json events);

/*
 * The snapshot that PATH holds, and the incarnation in it (JSON_ABSENT for none);
 * -ENOENT, without a message in F, where there is no such file or an empty one.  A file that
 * is no snapshot is an error, EXIT_TROUBLE: to ignore it would lose arrivals.
 */
int snapshot_load(const char *path, struct json *out, struct json *incarnation, struct fail *f);

/* Replace PATH durably: 0 or -errno. */
int snapshot_save(const char *path, struct json snapshot, struct json incarnation);

/*
 * Lock the state file PATH, by PATH.lock beside it: a descriptor to close(2), which
 * frees it.  EXIT_BUSY where another process has it, with its pid.
 */
int snapshot_lock(const char *path, struct fail *f);

/* The text of such a file, called NAME in messages. */
int snapshot_parse(const char *name, const char *text, size_t len, struct json *out,
    struct json *incarnation, struct fail *f);

#endif
