#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/exchange.h"
#include "causal/idmap.h"
#include "causal/prescan.h"

struct exchange {
	struct dag *dag;
	const struct prescan *prescan;
	struct causal_count *count;
	bool live;
	void (*settle)(void *cookie);
	void (*admit)(struct queue *q, void *cookie);
	void *cookie;
	struct idmap lost;		/* ids, and how many needs of each were given up */
};

static bool
is_any(uint64_t id, uint64_t value, void *cookie)
{
	(void)id;
	(void)cookie;
	return value != 0;
}

struct exchange *
exchange_new(struct dag *g, const struct prescan *prescan, struct causal_count *count, bool live)
{
	struct exchange *x = xcalloc(1, sizeof *x);

	*x = (struct exchange){ .dag = g, .prescan = prescan, .count = count, .live = live,
	    .lost.keep = is_any };
	return x;
}

void
exchange_free(struct exchange *x)
{
	if (x)
		idmap_release(&x->lost);
	free(x);
}

void
exchange_late(struct exchange *x, struct node *e)
{
	x->count->late++;
	node_mark(e, "late");
}

void
exchange_on_head(struct exchange *x, void (*settle)(void *cookie), void (*admit)(struct queue *q, void *cookie),
    void *cookie)
{
	x->settle = settle;
	x->admit = admit;
	x->cookie = cookie;
}

/* If a record in the fast lane sends ID, it becomes a node. */
static void
leave_lane(struct exchange *x, uint64_t id)
{
	const struct index_entry *e;

	if (!x->admit)
		return;
	x->settle(x->cookie);
	e = dag_entry(x->dag, id);
	if (e && e->state == INDEX_HEAD)
		x->admit(e->queue, x->cookie);
}

void
exchange_send(struct exchange *x, struct node *e, uint64_t id)
{
	uint64_t *lost;

	leave_lane(x, id);
	if (!dag_send(x->dag, e, id) || x->lost.n == 0)
		return;
	lost = idmap_find(&x->lost, id);
	if (!lost || !*lost)
		return;
	x->count->late += (int64_t)*lost;
	*lost = 0;
	node_mark(e, "late");
}

void
exchange_need(struct exchange *x, struct node *e, uint64_t id, enum constraint_class class, uint16_t rule, bool quiet)
{
	if (x->prescan && prescan_is_unsent(x->prescan, id)) {
		x->count->unmatched++;
		node_mark(e, "unmatched");
		return;
	}
	leave_lane(x, id);
	dag_wait_on_id(x->dag, e, id, class, rule, quiet);
}

void
exchange_wait_once(struct exchange *x, struct node *e, uint64_t id, const struct constraint *by)
{
	if (!x->live || e->waited || !id)
		return;
	exchange_need(x, e, id, (enum constraint_class)by->class, by->rule, true);
	e->waited = dag_is_blocked(e);
	e->judged = !e->waited;
}

static void
lose(uint64_t id, void *cookie)
{
	struct exchange *x = cookie;

	++*idmap_put(&x->lost, id);
}

void
exchange_give_up(struct exchange *x, struct node *e, const char *mark)
{
	x->count->unmatched += dag_give_up(x->dag, e, mark, lose, x);
}

bool
exchange_is_lost(const struct exchange *x, uint64_t id)
{
	const uint64_t *lost = x->lost.n ? idmap_find(&x->lost, id) : NULL;

	return lost && *lost;
}
