/*
 * chain - the collector's side of the dialect rejoin: which records of a device's queue
 * are new, and what to acknowledge.
 *
 * Ids have gaps, and bulk records are dropped, so the ids alone do not show that one
 * is missing.  Each record names the one before it in its queue (prev), and the last
 * one whose acknowledgement the device has received (acked).
 *
 *	new		prev is the id held, or the collector holds none and prev is acked
 *	duplicate	its id is not higher than the id held
 *	gap		any other: nothing is acknowledged but the id held; 0 where none is,
 *			and the device begins again behind acked
 *
 * A range of dropped records is a record with "dropped", whose id is the last of the range.
 */
#ifndef HUB_CHAIN_H
#define HUB_CHAIN_H

#include <stdint.h>

#include "base/json.h"

enum chain_verdict { CHAIN_NEW, CHAIN_DUPLICATE, CHAIN_GAP, CHAIN_WRONG };

struct chain {
	int64_t held;	/* -1: none */
};

#define CHAIN_INIT	{ -1 }

/* What RECORD is; C is not changed.  WRONG where it has no id or prev. */
enum chain_verdict chain_judge(const struct chain *c, struct json record, int64_t *id);

/* RECORD by ID is kept durably. */
void chain_hold(struct chain *c, int64_t id);

/* What to acknowledge. */
int64_t chain_acknowledgement(const struct chain *c);

#endif
