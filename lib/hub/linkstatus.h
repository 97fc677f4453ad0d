/*
 * linkstatus - the file `status` of a link (hub/hubdir.h): what rejoin-hub status prints.
 *
 *	{"pid","incarnation","state","denied"[,"reason"],"broker","client_id","dialect","confirmed",
 *	 "urgent":{"records","bytes","max","dropped","acked"},"bulk":{...},"full",
 *	 "accepted","refused","refused_messages"}
 *
 * accepted and refused count submissions since the link began, refused_messages those of the broker.
 */
#ifndef HUB_LINKSTATUS_H
#define HUB_LINKSTATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "hub/outbox.h"

struct linkstatus {
	const char *state, *reason, *broker, *client_id, *dialect;	/* REASON: "" for none */
	bool denied, confirms_end_to_end, full;
	const struct outbox *outbox;
	int64_t accepted, refused, refused_messages;
};

/* V, what the file says, as the lines that a person reads. */
void linkstatus_format(struct json v, struct buf *out);

/* Into DIR's status; 0 or a negative errno. */
int linkstatus_write(const char *dir, const struct linkstatus *s);

#endif
