/*
 * native - the dialect rejoin, in which nothing is lost that was accepted: each record
 * is acknowledged by the collector, the program that keeps the records of all devices.
 *
 * ID is the device's client id; R is rejoin/1/ID.
 *
 *	R/goal			retained; the goal.  Empty: withdrawn
 *	R/config/INSTANCE/TOPIC	retained; a value.  Empty: deleted
 *	R/req			a call: {"id","action","args","deadline"} of the device, or
 *				{"id","instance","method","params","deadline"}
 *	rejoin/1/group/G/req	the same, to all devices of a group
 *	R/ack			{"urgent":ID,"bulk":ID} from the collector
 *	R/report R/telemetry R/log R/state/INSTANCE/TOPIC
 *				a record of the outbox, whole; states are retained
 *	R/res			{"id","device","outcome","status","response","record":{...}}
 *	R/online		retained, by the will: {"online":false}
 *
 * deadline is in milliseconds since 1970.  The chain of records by "prev" and "acked"
 * is told in hub/chain.h.
 */
#ifndef HUB_NATIVE_H
#define HUB_NATIVE_H

#include "hub/dialect.h"

extern const struct dialect native_dialect;

/* R/online, for the will and for the connection, into M. */
void native_online(const struct dialect_context *c, bool online, struct dialect_message *m);

#endif
