/*
 * enumerate - the components of the inventories, and which are here now.
 *
 * An inventory is a JSON file {"components":[...]}, as the Azure agent's
 * example enumerator has it; how an entry becomes present (a firmware data
 * file, a udev match, a probe) is in rejoin-enum(1).  Nothing is cached: every
 * call reads, matches and probes anew.
 *
 * An inventory is right as a whole or refused as a whole; one that is refused
 * does not keep the components of the others from being listed.
 */
#ifndef COMPONENT_ENUMERATE_H
#define COMPONENT_ENUMERATE_H

#include <sys/types.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"

struct enumerate_spec {
	char *const *inventories;	/* paths, NULL-terminated */
	gid_t group;			/* may write an inventory with probes, too; (gid_t)-1 */
	int64_t probe_timeout_ms;	/* 0 for the default, 5 s */
	/*
	 * Told of every problem, at once: an inventory that was refused (status
	 * not EXIT_OK), or something odd that was passed over (EXIT_OK).
	 */
	void (*problem)(const struct fail *f, void *cookie);
	void *cookie;			/* for PROBLEM */
};

/*
 * COMPONENTS is an array of records, each with its state, sorted by id; DONE
 * borrows it (json_copy() keeps it).  WORST is EXIT_OK, or the status of
 * the worst problem.
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
