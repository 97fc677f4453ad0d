#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/tree.h"

void
tree_init(struct tree *t, unsigned n)
{
	for (t->size = 1; t->size < n; t->size *= 2)
		;
	t->key = xcalloc(t->size, sizeof *t->key);
	t->winner = xcalloc(2 * (size_t)t->size, sizeof *t->winner);
	for (unsigned i = 0; i < t->size; i++) {
		t->key[i] = TREE_NONE;
		t->winner[t->size + i] = i;
	}
	for (unsigned p = t->size - 1; p > 0; p--)
		t->winner[p] = t->winner[2 * p];
}

void
tree_release(struct tree *t)
{
	free(t->key);
	free(t->winner);
	*t = (struct tree){ .size = 0 };
}
