/*
 * exchange - ids that one record sends and others need, for all kinds that have them.
 *
 * It remembers needs that were given up, so that a sender that comes after all is
 * late; and with a prescan (--exact) it knows the ids that no record sends.
 */
#ifndef CAUSAL_EXCHANGE_H
#define CAUSAL_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "causal/count.h"
#include "causal/dag.h"

struct exchange;
struct known_ids;
struct queue;

/*
 * All are borrowed; KNOWN is NULL for one pass.  LIVE: what is missing may still
 * come.  PLACES: so many bytes remember which records had needs that were given up.
 */
struct exchange *exchange_new(struct dag *g, const struct known_ids *known, struct causal_count *count, bool live,
    size_t places);
void exchange_free(struct exchange *x);

/*
 * Where there is a fast lane: SETTLE puts into the index what its heads send; ADMIT
 * makes a node of the record at the head of a queue.
 */
void exchange_on_head(struct exchange *x, void (*settle)(void *cookie), void (*admit)(struct queue *q, void *cookie),
    void *cookie);

/* E sends ID. */
void exchange_send(struct exchange *x, struct node *e, uint64_t id);

/* E needs ID.  QUIET: as in dag_wait_on_id(). */
void exchange_need(struct exchange *x, struct node *e, uint64_t id, enum constraint_class class, uint16_t rule,
    bool quiet);

/*
 * Live: E, which is about to be printed, waits once for ID, which is known to be
 * missing; it is asked again when it comes, or when E waited for long enough.
 */
void exchange_wait_once(struct exchange *x, struct node *e, uint64_t id, const struct constraint *by);

/* E does not wait for absent ids any longer. */
void exchange_give_up(struct exchange *x, struct node *e, const char *mark);

/* Was a need of ID given up, and no sender of ID admitted since? */
bool exchange_is_lost(const struct exchange *x, uint64_t id);

/* --check: E is printed now; what it needs and what is not printed is violated, or is when it comes. */
void exchange_leave(struct exchange *x, struct node *e);

/* A record that follows E because of BY is printed already: that of BEHIND, where it is known. */
void exchange_late(struct exchange *x, struct node *e, const struct index_entry *behind, const struct constraint *by);

#endif
