/*
 * clockmodel - how far clocks are apart, from the constraints of their records.
 *
 * A record that needs an id is later than the one that sends it, and the end of a
 * span is later than the ends of its children.  Each such pair that two clocks
 * stamped bounds their difference (causal/skew).  Records come in any order; of an
 * id the first sender counts, and what was sent long ago is forgotten: by time, and
 * by number (causal/idages), so that its size does not grow with what is read.
 *
 * Units: ns.  Clocks are numbered from 0 on.
 */
#ifndef CAUSAL_CLOCKMODEL_H
#define CAUSAL_CLOCKMODEL_H

#include <stdbool.h>
#include <stdint.h>

struct clockmodel;

/* When a record was stamped, by which clock and how exactly. */
struct clockmodel_stamp {
	unsigned clock;
	int64_t t, res;
};

/* A pair is found if its records are at most WINDOW_NS apart; INT64_MAX for no limit. */
struct clockmodel *clockmodel_new(int64_t window_ns);
void clockmodel_free(struct clockmodel *m);

/* A record with a time of its own, AT, sends ID, or needs it. */
void clockmodel_sent(struct clockmodel *m, const struct clockmodel_stamp *at, uint64_t id);
void clockmodel_needed(struct clockmodel *m, const struct clockmodel_stamp *at, uint64_t id);

/* The end of a child of SPAN sends END. */
void clockmodel_child(struct clockmodel *m, uint64_t end, uint64_t span);

/* The child whose end sends END ends at AT; the last child of a span counts. */
void clockmodel_child_end(struct clockmodel *m, const struct clockmodel_stamp *at, uint64_t end);

/* A child of SPAN ends at AT. */
void clockmodel_span_child_end(struct clockmodel *m, const struct clockmodel_stamp *at, uint64_t span);

/* SPAN ends at AT; children whose ends come after it are paired then. */
void clockmodel_end(struct clockmodel *m, const struct clockmodel_stamp *at, uint64_t span);

/* What was learned so long ago that clocks may have drifted is forgotten at the second call after it. */
void clockmodel_age(struct clockmodel *m);

/* Pairs so far, and ids that some record needs and none sent. */
int64_t clockmodel_messages(const struct clockmodel *m);
int64_t clockmodel_open(const struct clockmodel *m);

/*
 * The offsets of N clocks.  OFFSETS holds what is assumed; where that is refuted it
 * gets an estimate, and the result is true.  N is at most SKEW_CLOCKS_MAX.  TO is as in skew_rename().
 */
bool clockmodel_estimate(const struct clockmodel *m, const unsigned *to, unsigned n, int64_t *offsets);

#endif
