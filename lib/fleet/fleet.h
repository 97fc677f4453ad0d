/*
 * fleet - a rollout carried out: the work of rejoin-fleet.
 *
 * Devices of the roster are asked by a carrier, as the rollout allows, and recorded in the
 * journal: before a device is asked, and with its outcome.  Killed at any instruction and
 * continued with the journal, each device is asked once, and each outcome counts once.
 *
 * An outcome is an object:
 *
 *	{"device","outcome","wave","time"[,"late":true][,"incarnation"][,"details"][,"response"]}
 */
#ifndef FLEET_FLEET_H
#define FLEET_FLEET_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/logger.h"
#include "base/loop.h"
#include "fleet/carrier.h"
#include "fleet/rollout.h"
#include "fleet/rolloutlog.h"
#include "fleet/roster.h"

struct fleet_spec {
	struct loop *loop;
	const struct roster *roster;	/* shuffled by the journal's seed */
	struct rolloutlog *journal;
	struct rollout_policy policy;
	bool resume;			/* although it was halted */
	/* The carrier, made when the callbacks are there; NULL with F filled. */
	struct carrier *(*carrier)(const struct carrier_callbacks *cb, void *cookie, struct fail *f);
	int (*outcome)(struct json record, void *cookie);	/* a negative errno stops the rollout */
	struct logger log;
	void *cookie;
};

/*
 * Run until the rollout is done, or SIGINT or SIGTERM: the first asks no further device
 * and waits for the outcomes, the second ends the commands or, with a journal, the run.
 * Returns the exit status, or a negative errno with F filled.
 */
int fleet_run(const struct fleet_spec *spec, struct fail *f);

#endif
