/*
 * mqttcarrier - devices asked over an MQTT broker, in the dialect rejoin (hub/native.h):
 * each has a rejoin-hub that carries out what its profile allows.
 *
 *	publish	  rejoin/1/DEVICE/req	{"id","action"[,"args"],"deadline"}	with MQTT 5 it expires
 *		  rejoin/1/DEVICE/goal	the goal, retained
 *	subscribe rejoin/1/+/res rejoin/1/+/online, for a goal rejoin/1/+/report
 *
 * The id of a request is ROLLOUT.DEVICE, the same each time: a device carries out an id once, and
 * repeats its outcome.  So a request may be sent again: after each loss of the connection, when a
 * run is continued, when the device comes back, and once half-way to the deadline.
 *
 * A goal is settled when the device reports that it has carried it out: its workflow with the state
 * 0, or its deployment of modules with reconcileStatus ok.  The state 255 and the status error are failed.
 *
 * A device that says it is offline (by its will) is not asked; one that was never seen online and gives no
 * outcome before the deadline is absent as well.
 */
#ifndef FLEET_MQTTCARRIER_H
#define FLEET_MQTTCARRIER_H

#include "agent/profile.h"
#include "base/json.h"
#include "base/logger.h"
#include "base/loop.h"
#include "fleet/carrier.h"
#include "fleet/roster.h"

struct mqttcarrier_spec {
	struct loop *loop;
	const struct roster *roster;
	const struct profile_hub *conf;
	const char *rollout;		/* its id */
	char *const *action;		/* NULL-terminated: the action and its arguments */
	struct json goal;		/* of the action "goal" */
	struct logger log;
};

/*
 * Is ACTION one that can be asked for over MQTT, and CONF a profile that can?  For "goal FILE" the
 * file is read into *GOAL.  EXIT_USAGE.
 */
int mqttcarrier_check(const struct profile_hub *conf, char *const *action, const struct roster *roster, struct json *goal, struct fail *f);

/* What SPEC points to is borrowed. */
struct carrier *mqttcarrier_new(const struct mqttcarrier_spec *spec, const struct carrier_callbacks *cb, struct fail *f);

/* A message of TOPIC and PAYLOAD, as the broker delivers it: for tests and fuzzing. */
void mqttcarrier_receive(struct carrier *c, const char *topic, const char *payload, size_t len);

#endif
