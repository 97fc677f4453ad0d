/*
 * edge - hints that components may have come or gone.
 *
 * An edge says no more than "look again": it may be late, come twice, or stand
 * for many.  Its cause is a text for people: "udev:ACTION:PATH", "tree:PATH",
 * "inventory", or "udev" and "tree" where anything may have happened.
 */
#ifndef COMPONENT_TRIGGER_H
#define COMPONENT_TRIGGER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"

struct trigger_spec {
	struct json matches;		/* devices: an array of matches (component/udev.h) */
	char *const *trees;		/* directories, with those below; NULL-terminated */
	char *const *inventories;	/* a change of these is an edge as well; NULL-terminated */
	gid_t group;			/* may write an inventory with probes, too */
	/*
	 * Instead of MATCHES and TREES listen to what the inventories name: the
	 * directories of their data files and the devices of their udev matches.
	 */
	bool follow;
};

struct trigger_callbacks {
	void (*edge)(const char *cause, void *cookie);
	/* All sources are listening, or have said why not: told once. */
	void (*ready)(void *cookie);
	/* Something that is not heard, and why. */
	void (*problem)(const char *text, void *cookie);
	/* inotifywait is missing: trees must be looked at from time to time. */
	void (*deaf)(void *cookie);
	void *cookie;
};

struct trigger_set;

/* SPEC's members must live as long. */
struct trigger_set *trigger_set_new(struct loop *l, const struct trigger_spec *spec,
    const struct trigger_callbacks *callbacks);

/* A look begins: go with what the inventories name now. */
void trigger_set_refresh(struct trigger_set *e);

/* Begin the shutdown. */
void trigger_set_stop(struct trigger_set *e);

/* E may be NULL. */
void trigger_set_free(struct trigger_set *e);

/*
 * "KEY=VALUE,KEY=VALUE" as a match of devices ("\," is a comma within a value),
 * "any" as the one that fits every device.  EXIT_USAGE.
 */
int trigger_parse_match(const char *text, struct json *match, struct fail *f);

#endif
