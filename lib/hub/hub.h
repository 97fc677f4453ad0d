/*
 * hub - the link of a device to a broker: the work of rejoin-hub run.
 *
 * It connects (hub/connection.h), writes what comes from the broker into its
 * directory (hub/hubdir.h, hub/attributes.h, hub/calls.h), takes submissions
 * (hub/inbox.h) into the outbox, and sends that (hub/sender.h).  Killed at any
 * instruction and started again, it loses nothing that was accepted.
 */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include "agent/profile.h"
#include "base/fail.h"
#include "base/logger.h"

struct hub_spec {
	const struct profile *profile;	/* with a [hub] */
	struct logger log;
};

/* Run until SIGINT or SIGTERM: an exit status, or a negative errno with F filled. */
int hub_run(const struct hub_spec *spec, struct fail *f);

#endif
