/*
 * snapshot - the components as they were when they were last acted on, and what
 * is new since then.
 *
 * A snapshot is a JSON object that has for each id what matters of its record:
 * id, state, name, group, manufacturer, model, serial, version, properties.
 * Between runs it is kept in a file, {"kind":"rejoin-watch snapshot",
 * "format":1,"time":T,"components":{ID:RECORD,...}}.
 *
 * From one look at the components to the next, each has at most one event:
 *
 *	arrived		online; before it was offline, or not there
 *	readable	online; before it was unreadable
 *	swapped		online before and now, but another part: one of name, group,
 *			manufacturer, model, serial (properties.serial, too) differs,
 *			or the version is older (component/version.h)
 *	changed		anything else that matters; so also a version that rose,
 *			and a part that came but cannot be read
 *	departed	offline or gone; before it was online or unreadable
 *
 * The first three wake whoever waits for components.  The last two do not: they
 * are what an update itself causes, and a watcher must not be woken by its own
 * work.
 */
#ifndef COMPONENT_SNAPSHOT_H
#define COMPONENT_SNAPSHOT_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"

/*
 * The snapshot of COMPONENTS, an array of records.  With BEFORE those that
 * COMPONENTS lacks stay as they were there, for a look that was not complete;
 * JSON_ABSENT for none.
 */
struct json snapshot_of(struct json components, struct json before);

/*
 * What happened between the snapshot BEFORE and AFTER, which is that of
 * COMPONENTS: an array of events in the order of COMPONENTS, then those that
 * are gone from them.  An event is a component's record with "event", "time"
 * (now), "cause", and "was": the members that differ, as they were (null where
 * not there).  Without ALL there are only those that wake.
 */
struct json snapshot_events(struct json before, struct json after, struct json components,
    const char *cause, bool all);

/* Is there an event in EVENTS that wakes? */
bool snapshot_wakes(struct json events);

/*
 * The snapshot that PATH holds; -ENOENT with nothing in F to report where there
 * is none, or an empty file.  What is not a snapshot is refused, EXIT_TROUBLE:
 * to take it for none would lose an arrival, or make one of everything.
 */
int snapshot_load(const char *path, struct json *out, struct fail *f);

/* PATH holds SNAPSHOT from here on, whatever happens to the machine: 0 or -errno. */
int snapshot_save(const char *path, struct json snapshot);

/* The text of such a file, called NAME in messages. */
int snapshot_parse(const char *name, const char *text, size_t len, struct json *out,
    struct fail *f);

#endif
