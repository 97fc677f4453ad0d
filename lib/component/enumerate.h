/*
 * enumerate - the components of the inventories, and which are here now.
 *
 * An inventory is a JSON file {"components":[...]}, as the Azure agent's
 * example enumerator has it; how an entry becomes present (a firmware data
 * file, a udev match, a probe) is in rejoin-enum(1).  Nothing is cached: every
 * call reads, matches and probes anew.
 *
 * An inventory is right as a whole or refused as a whole; one that is refused
 * does not keep the components of the others from being listed.  So is one
 * that names an id again.  What devices say of themselves cannot have an
 * inventory refused: a template's device with an id that is taken is left out,
 * and where the other was a template's, too, that one is unreadable.
 */
#ifndef COMPONENT_ENUMERATE_H
#define COMPONENT_ENUMERATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "component/component.h"

/* One of the components found, borrowed for the call. */
struct enumerate_item;

enum component_state enumerate_state(const struct enumerate_item *c);

/* Its record, the caller's. */
struct json enumerate_record(const struct enumerate_item *c);

/* The same as compact JSON, added to OUT: where that is all that is wanted, it costs less. */
void enumerate_format(const struct enumerate_item *c, struct buf *out);

/*
 * Called with what the presence of components depends on, before it is examined:
 * a caller that monitors it from then on misses no change.
 */
struct enumerate_observer {
	void (*match)(struct json match, void *cookie);		/* devices that MATCH fits */
	void (*device)(const char *id, const char *syspath, void *cookie);	/* one that fits */
	void (*data_file)(const char *id, const char *path, void *cookie);
	void *cookie;
};

struct enumerate_spec {
	char *const *inventories;	/* paths, NULL-terminated */
	gid_t group;			/* may write an inventory with probes, too; (gid_t)-1 */
	int64_t probe_timeout_ms;	/* 0 for the default, 5 s */
	bool inventory_order;		/* as the inventories name them, instead of sorted by id */
	/*
	 * Called for every problem, at once.  Its status is EXIT_OK for something odd
	 * that was passed over, EXIT_NO for a device of a template that was left
	 * out, and anything else for an inventory that was refused.
	 */
	void (*problem)(const struct fail *f, void *cookie);
	/* If not NULL, called for each component in order, and no array is made. */
	void (*each)(const struct enumerate_item *c, void *cookie);
	void *cookie;			/* for PROBLEM and EACH */
	const struct enumerate_observer *observer;	/* NULL for none */
};

/*
 * COMPONENTS is an array of records, each with its state, sorted by id; DONE
 * borrows it (json_copy() keeps it).  WORST is EXIT_OK, or the status of
 * the worst problem; as long as it is not above EXIT_NO the list is whole.
 */
typedef void enumerate_done(struct json components, enum exit_status worst, void *cookie);

struct enumeration;

/* SPEC's strings must live until DONE is called, which is once, from the loop. */
struct enumeration *enumerate_start(struct loop *l, const struct enumerate_spec *spec,
    enumerate_done *done, void *cookie);

/* End it early: probes are killed, DONE is not called. */
void enumerate_cancel(struct enumeration *e);

/* The same, waiting for the end. */
enum exit_status enumerate(const struct enumerate_spec *spec, struct json *components);

#endif
