#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/relation.h"

bool
relation_add(struct relations *to, const struct relation *r)
{
	for (size_t i = 0; i < to->n; i++) {
		const struct relation *x = &to->v[i];

		if (x->where == r->where && x->source == r->source && x->class == r->class && x->rule == r->rule &&
		    x->violated == r->violated)
			return false;
	}
	to->v = xgrow(to->v, to->n, &to->cap, sizeof *to->v);
	to->v[to->n++] = *r;
	return true;
}
