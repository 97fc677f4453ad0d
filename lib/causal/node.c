#include "causal/node.h"

struct sort_key
node_key(const struct node *e)
{
	return (struct sort_key){ .t = e->t, .off = e->off, .rank = e->rank };
}

void
node_mark(struct node *e, const char *what)
{
	if (!e->mark)
		e->mark = what;
}
