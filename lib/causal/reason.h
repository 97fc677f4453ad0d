/*
 * reason - the words for why a record stands where it does: "message m 7 after a.log:12".
 */
#ifndef CAUSAL_REASON_H
#define CAUSAL_REASON_H

#include <stdint.h>

#include "causal/node.h"
#include "record/rule.h"

/* The name of the rule, or of the class where there is none. */
const char *reason_name(const struct rules *rules, enum constraint_class class, uint16_t rule);

/*
 * WAITER stands behind PREDECESSOR: that is its reason from here on.  ID is 0 where
 * the constraint has none; USED tells which rules apply to each queue.
 */
void reason_add(const struct rules *rules, bool *const *used, struct node *waiter, const struct node *predecessor,
    uint64_t id, enum constraint_class class, uint16_t rule);

#endif
