/*
 * lookahead - is an id sent within patience, and by which record?
 *
 * To find that out all sources have to be read beyond patience.  Where nothing
 * else depends on how far they were read, only the ids that are sent there are
 * remembered; the records are admitted when their turn comes, or up to the one
 * that is waited for.
 */
#ifndef CAUSAL_LOOKAHEAD_H
#define CAUSAL_LOOKAHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "causal/node.h"

struct lookahead;
struct scheduler;

/* NULL where some source is not suitable. */
struct lookahead *lookahead_new(struct scheduler *s);
void lookahead_free(struct lookahead *l);

/*
 * Admit what E, the first blocked node, waits for, if it is found up to beyond NS;
 * false where it is not, or too much is held.  IDLE: no record can be printed.
 */
bool lookahead_fetch(struct lookahead *l, struct node *e, int64_t ns, bool idle);

#endif
