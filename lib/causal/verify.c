#include "causal/scheduler.h"
#include "causal/tree.h"
#include "causal/verify.h"

/* The next record of Q, and when it is due. */
static void
set_head(struct tree *tree, const struct queue *q)
{
	tree_set(tree, q->number, q->nodes ? queue_slot(q, 0)->node->t : TREE_NONE);
}

void
verify_run(struct scheduler *s)
{
	struct tree tree;
	unsigned i;

	tree_init(&tree, s->n ? s->n : 1);
	for (i = 0; i < s->n; i++) {
		scheduler_admit(s, s->queues[i]);
		set_head(&tree, s->queues[i]);
	}
	while (tree.key[i = tree_first(&tree)] != TREE_NONE && !(s->spec->stopped && s->spec->stopped(s->spec->cookie))) {
		struct node *e = queue_slot(s->queues[i], 0)->node;

		while (scheduler_look_ahead(s, e->t))
			;
		/* What is not blocked any more leaves the heap. */
		dag_first_blocked(s->dag);
		scheduler_check_due(s, e);
		exchange_leave(s->exchange, e);
		scheduler_print(s, e);
		set_head(&tree, s->queues[i]);
	}
	tree_release(&tree);
}
