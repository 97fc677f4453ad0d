/*
 * reason - the words for why a record stands where it does: "message m 7 after a.log:12".
 */
#ifndef CAUSAL_REASON_H
#define CAUSAL_REASON_H

#include <stdint.h>

#include "base/buf.h"
#include "causal/node.h"
#include "record/rule.h"

/* The name of the rule, or of the class where there is none. */
const char *reason_name(const struct rules *rules, enum constraint_class class, uint16_t rule);

/* Why a record stands behind another one. */
struct reason {
	const struct rules *rules;
	bool *const *used;			/* which rules apply to each queue */
	enum constraint_class class;
	uint16_t rule;				/* UINT16_MAX for none */
	uint64_t id;				/* 0 where the constraint has none */
	const struct node *predecessor;		/* NULL where that record is not there any more */
	const char *source;			/* the predecessor's, and its line; NULL where that is forgotten */
	int64_t line;
};

/* The record whose place has the reason: number INDEX of BLOCK, of QUEUE. */
struct reason_of {
	struct queue *queue;
	const struct block *block;
	size_t index;
};

/* Add R to the reasons LINES of E, one a line, unless it is among them. */
void reason_write(struct buf *lines, const struct reason_of *e, const struct reason *r);

/* The same for a node. */
void reason_add(struct node *e, const struct reason *r);

#endif
