/*
 * carrier - how a device is asked, and how its outcome comes back: by a command
 * (fleet/execcarrier.h) or by an MQTT broker (fleet/mqttcarrier.h).
 *
 * Devices are places in the order of the roster.  A carrier asks a device once for each
 * ask(); that a device is not asked twice is the caller's business.
 */
#ifndef FLEET_CARRIER_H
#define FLEET_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "fleet/rollout.h"

struct carrier_result {
	uint32_t device;
	enum rollout_state outcome;
	const char *details;		/* a line for a person; NULL */
	struct json response;		/* what the device or the command answered; JSON_ABSENT */
	const char *incarnation;	/* of the agent; NULL */
};

struct carrier_callbacks {
	/* Called from the loop, any number of times for a device. */
	void (*result)(const struct carrier_result *r, void *cookie);
	/* The device was not asked after all: F says why, which is trouble here and not the device's. */
	void (*not_asked)(uint32_t device, const struct fail *f, void *cookie);
	/* is_ready() has changed; WHY it is not, or NULL. */
	void (*ready)(const char *why, void *cookie);
	void *cookie;
};

struct carrier_ask {
	uint32_t device;
	int attempt;		/* from 1: more than one where it was busy */
	bool again;		/* an earlier run asked it, and knows no outcome */
	int64_t left_ms;	/* until its deadline */
};

struct carrier;

struct carrier_ops {
	/*
	 * Ask the device.  Where `again` is set it may have been asked by the run that was killed:
	 * the result of that is wanted, and the device must not carry it out twice.  After an error
	 * it was not asked, and not_asked() is not called.
	 */
	int (*ask)(struct carrier *c, const struct carrier_ask *a, struct fail *f);
	/* The outcome of the device is on disk: nothing of it is needed any more. */
	void (*recorded)(struct carrier *c, uint32_t device, int attempt);
	bool (*is_ready)(const struct carrier *c);
	/*
	 * It is known that the device is not there, so that it is not asked; where EXPIRED is set, its
	 * deadline has passed without an outcome, and it is likely that it never was.
	 */
	bool (*is_absent)(const struct carrier *c, uint32_t device, bool expired);
	/* End what is awaited; results follow.  False where that cannot be done. */
	bool (*stop)(struct carrier *c);
	/* Free the carrier; requests that have no outcome yet continue on the devices. */
	void (*free)(struct carrier *c);
};

/* The first member of each carrier. */
struct carrier {
	const struct carrier_ops *ops;
};

#endif
