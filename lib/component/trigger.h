/*
 * trigger - hints that components may have come or gone.
 *
 * A trigger only says "scan": it may be late, come twice, or stand for many.  Its
 * cause is a text for people: "udev:ACTION:PATH", "tree:PATH", "inventory", or
 * "udev" and "tree" where anything may have happened.
 *
 * A trigger set monitors the inventories, and either what the user named (devices,
 * directories) or, with spec.follow, what the scans find that the presence of
 * components depends on: data files with every directory and link on their way,
 * and devices.  For that a scan reports to the observer of trigger_set_begin_scan()
 * what it is about to examine, so it is monitored before it is examined.
 *
 * Beside triggers the set keeps which components were reported as removed.  A
 * component that is back at the next scan was absent all the same, and an agent
 * may have evaluated without it.
 */
#ifndef COMPONENT_TRIGGER_H
#define COMPONENT_TRIGGER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "component/enumerate.h"

enum { TRIGGER_POLL_MS = 5000 };	/* between scans where something cannot be monitored */

struct trigger_spec {
	struct json matches;		/* devices: an array of matches (component/udev.h) */
	char *const *trees;		/* directories, with all below; NULL-terminated */
	char *const *inventories;	/* files; NULL-terminated */
	bool follow;			/* monitor what the scans find, instead of MATCHES and TREES */
};

struct trigger_callbacks {
	void (*trigger)(const char *cause, void *cookie);
	/* Called once: everything is monitored, or a problem was reported. */
	void (*ready)(void *cookie);
	/* What is not monitored, and why. */
	void (*problem)(const char *text, void *cookie);
	/* Something cannot be monitored: the caller is to scan every TRIGGER_POLL_MS. */
	void (*poll)(void *cookie);
	void *cookie;
};

struct trigger_set;

/* SPEC's members must outlive the set. */
struct trigger_set *trigger_set_new(struct loop *l, const struct trigger_spec *spec,
    const struct trigger_callbacks *callbacks);

/* A scan begins; it is given the observer, which lives as long as T. */
const struct enumerate_observer *trigger_set_begin_scan(struct trigger_set *t);

/* A scan has ended.  COMPLETE: what it did not report need not be monitored any longer. */
void trigger_set_end_scan(struct trigger_set *t, bool complete);

/* The ids reported as removed since the last call: an object, for its keys; the caller's. */
struct json trigger_set_take_removed(struct trigger_set *t);

/* What is monitored, for a message: "2 data files, devices". */
void trigger_set_describe(const struct trigger_set *t, struct buf *out);

/* Begin the shutdown. */
void trigger_set_stop(struct trigger_set *t);

/* T may be NULL. */
void trigger_set_free(struct trigger_set *t);

/*
 * "KEY=VALUE,KEY=VALUE" as a match of devices ("\," is a comma within a value), or
 * "any" as the match that fits every device.  EXIT_USAGE.
 */
int trigger_parse_match(const char *text, struct json *match, struct fail *f);

#endif
