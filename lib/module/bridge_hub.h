/*
 * bridge_hub - the link as one instance sees it: its configurations and calls as they come, and
 * what it submits (hub/submission.h).
 *
 * Without a link (no profile, no directory) nothing comes, and what is submitted is refused.
 */
#ifndef MODULE_BRIDGE_HUB_H
#define MODULE_BRIDGE_HUB_H

#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"

struct bridge_hub;

struct bridge_hub_callbacks {
	/* A configuration is there, or another; borrowed. */
	void (*config)(const char *topic, const char *value, size_t len, void *cookie);
	/* A call, once; NUMBER is for bridge_hub_answer(). */
	void (*call)(uint64_t number, const char *method, const char *params, void *cookie);
	void *cookie;
};

/* AGENT is the profile of the link, NULL for none. */
struct bridge_hub *bridge_hub_new(struct loop *l, const char *agent, const char *instance,
    const struct bridge_hub_callbacks *cb);
void bridge_hub_free(struct bridge_hub *h);

/* Tell all configurations once more. */
void bridge_hub_resend(struct bridge_hub *h);

/* KIND of NAME (the key is INSTANCE/NAME); takes VALUE.  EXIT_BUSY where the queue is full. */
int bridge_hub_send(struct bridge_hub *h, const char *kind, const char *name, struct json value, struct fail *f);

/* STATUS is ok, error or not-found.  -ENOENT where there is no such call, or it was answered. */
int bridge_hub_answer(struct bridge_hub *h, uint64_t number, const char *status, struct json response, struct fail *f);

/* The instance has ended: every open call of it is answered so. */
void bridge_hub_end(struct bridge_hub *h);

#endif
