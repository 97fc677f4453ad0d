/*
 * offer - the table of components that an agent waits for, and when each may be
 * offered to it.
 *
 * A component is offered once for each evaluation of the agent: an agent that has
 * not evaluated since knows nothing new.  Where it still waits after it has
 * evaluated, the next offer follows 10 s after the last, then 20 s, 40 s, ... up
 * to a maximum, so that watcher and agent cannot keep each other busy.
 */
#ifndef COMPONENT_OFFER_H
#define COMPONENT_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

enum { OFFER_PAUSE_MS = 10 * 1000 };

struct offer_table;

struct offer_table *offer_table_new(int64_t max_pause_ms);

/* O may be NULL. */
void offer_table_free(struct offer_table *o);

/*
 * How long until component ID may be offered for EVALUATION: 0 for now; -1 where it
 * was offered for that evaluation.  NOW_MS is monotonic.
 */
int64_t offer_table_delay(const struct offer_table *o, const char *id, const char *evaluation, int64_t now_ms);

/* ID was offered for EVALUATION. */
void offer_table_note(struct offer_table *o, const char *id, const char *evaluation, int64_t now_ms);

/* Forget the components that are not keys of WAITING, an object: the agent waits for them no more. */
void offer_table_keep(struct offer_table *o, struct json waiting);

#endif
