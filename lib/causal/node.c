#include "causal/node.h"

struct sort_key
node_key(const struct node *e)
{
	return (struct sort_key){ .t = e->t, .off = e->off, .rank = e->rank };
}

bool
node_key_before(const struct sort_key *a, const struct sort_key *b)
{
	if (a->t != b->t)
		return a->t < b->t;
	if (a->rank != b->rank)
		return a->rank < b->rank;
	return a->off != b->off ? a->off < b->off : a->depth < b->depth;
}

void
node_mark(struct node *e, const char *what)
{
	if (!e->mark)
		e->mark = what;
}
