/*
 * tree - which of N keys is the lowest: a tree of winners.
 *
 * A key changes, or leaves and comes back as TREE_NONE and another one, in
 * O(log N).  Of two equal keys the lower number wins.
 *
 * The struct is open because a plain merge replays one path a record.
 */
#ifndef CAUSAL_TREE_H
#define CAUSAL_TREE_H

#include <stdint.h>

#define TREE_NONE	INT64_MAX

struct tree {
	unsigned size;		/* a power of two */
	int64_t *key;		/* SIZE of them */
	unsigned *winner;	/* of the match at node I, from 1 on; leaves are at SIZE */
};

void tree_init(struct tree *t, unsigned n);
void tree_release(struct tree *t);

/* The number of the lowest key; that key is TREE_NONE where there is none. */
static inline unsigned
tree_first(const struct tree *t)
{
	return t->winner[1];
}

/* Number I has KEY; compiled without branches. */
static inline void
tree_set(struct tree *t, unsigned i, int64_t key)
{
	const int64_t *keys = t->key;
	unsigned *w = t->winner;

	t->key[i] = key;
	for (unsigned p = (t->size + i) / 2; p > 0; p /= 2) {
		unsigned a = w[2 * p], b = w[2 * p + 1];

		w[p] = keys[b] < keys[a] ? b : a;
	}
}

#endif
