/*
 * flow - the delays of a candidate between two sources, and what they tell of it.
 *
 * A flow is the instances between one source and another.  The clocks of two sources
 * differ, so the delays of flows are compared by their middle alone.
 */
#ifndef LEARN_FLOW_H
#define LEARN_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "learn/candidate.h"

enum { FLOW_GROUP_MIN = 8 /* instances of two sources whose steps are known */ };

struct flow {
	const struct link_instance *v;
	unsigned n;
};

struct flow_judgement {
	double shape, weight;
	int64_t spread;
	bool chance;			/* the delays are no more than that */
	double grain;			/* what the resolution may make of the shape */
};

/* The flow that begins at instance I of C, which flow_judge() has sorted. */
struct flow flow_at(const struct candidate *c, size_t i);

/* The sorted delays of F, SIGN times B's time less A's, into OUT. */
void flow_delays(const struct flow *f, int sign, int64_t *out);

/* The resolution of the coarser of its two sources. */
int64_t flow_resolution(const struct flow *f, const int64_t *res_ns);

/* Of N sorted numbers, N > 0: that which PER_CENT are below. */
int64_t flow_quantile(const int64_t *d, unsigned n, unsigned per_cent);

/* Between the quartiles of the N numbers of V, which are sorted in place. */
int64_t flow_spread(int64_t *v, unsigned n);

/* >0: the N sorted delays have a tail to the right; in [-1, 1]. */
double flow_shape(const int64_t *d, unsigned n);

/*
 * Sort the instances of C by flows, and judge them: J, and what C says of its delays.  ROOM is for three times
 * CANDIDATE_INSTANCES numbers.
 */
void flow_judge(struct candidate *c, const int64_t *res_ns, unsigned sources, int64_t *room, struct flow_judgement *j);

#endif
