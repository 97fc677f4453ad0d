/*
 * Scouts, of log/node.h: is an id sent within the patience, or by nobody?
 *
 * To find that out all sources must be read beyond the patience.  Where it does
 * not matter otherwise what has been read, a scout does that, who remembers of
 * each record only which ids it sends; the records themselves are read when
 * their turn comes, or up to the one that is waited for.  So an id that nobody
 * sends costs no more memory than the ids that are sent meanwhile, and the bytes
 * of what cannot be read twice.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "record/matcher.h"
#include "log/node.h"

enum {
	READS = 2 << 20,		/* bytes of the buffers of all scouts */
	READ_MIN = 4 << 10,
	READ_MAX = 64 << 10,
	LANE_BITS = 16,			/* of a value: the lane, and above it the offset */
	AT_ONCE = 256,			/* records */
};

static int64_t
position(const struct lane *l)
{
	return l->source->base + (int64_t)l->source->cur;
}

/* Has the record of the value not been read yet? */
static bool
is_ahead(const struct order *o, uint64_t value)
{
	const struct lane *l = &o->lanes[value & ((1U << LANE_BITS) - 1)];

	return (int64_t)(value >> LANE_BITS) >= position(l);
}

static bool
keep_ahead(uint64_t id, uint64_t value, void *cookie)
{
	(void)id;
	return is_ahead(cookie, value);
}

void
scout_init(struct order *o)
{
	/* Whose stop belongs before a start, or which spans are within another, is asked of those that have been read. */
	for (unsigned i = 0; i < o->n_lanes; i++)
		if (o->lanes[i].asks)
			return;
	if (o->spec->mode != ORDER_CAUSAL || o->spec->census || o->n_lanes >= 1U << LANE_BITS)
		return;
	o->ahead.keep = keep_ahead;
	o->ahead.cookie = o;
	for (unsigned i = 0; i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		l->scouted = !l->clocks && !l->window_ns;
		o->scouts |= l->scouted;
	}
}

void
scout_release(struct order *o)
{
	for (unsigned i = 0; i < o->n_lanes; i++)
		source_close(o->lanes[i].scout, NULL);
	free(o->scout_edges.v);
	o->scout_edges = (struct constraints){ NULL, 0, 0 };
	ids_release(&o->ahead);
}

/* A scout of L, who is not behind what has been read of it. */
static struct source *
scout_of(struct order *o, struct lane *l)
{
	size_t bytes = READS / o->n_lanes & ~(size_t)4095;

	if (!l->scout) {
		bool any, *used = order_rules_for(o->spec->rules, l->source, &any);

		bytes = bytes < READ_MIN ? READ_MIN : bytes > READ_MAX ? READ_MAX : bytes;
		l->scout = source_view(l->source, position(l), l->source->end, bytes);
		l->scout->matcher = matcher_new(o->spec->rules, used);
		free(used);
	} else if (l->scout->base + (int64_t)l->scout->cur < position(l)) {
		source_range(l->scout, position(l), l->source->end);
	}
	return l->scout;
}

/* What R, of L, sends. */
static void
remember(struct order *o, const struct lane *l, const struct record *r)
{
	struct constraints *x = &o->scout_edges;

	matcher_constraints(l->scout->matcher, l->scout, r, x);
	for (size_t i = 0; i < x->n; i++) {
		uint64_t *slot;

		if (x->v[i].what != CONSTRAINT_SEND)
			continue;
		slot = ids_put(&o->ahead, x->v[i].id);
		if (!*slot || !is_ahead(o, *slot))
			*slot = (uint64_t)r->off << LANE_BITS | (uint64_t)(l - o->lanes);
	}
	x->n = 0;
}

/* Some more of L, up to beyond NS; false where there is no more. */
static bool
look(struct order *o, struct lane *l, int64_t ns)
{
	struct source *s;
	struct record r;
	bool any = false;

	if (l->newest_ns > ns || l->scouted_ns > ns || !l->rules || l->ended)
		return false;
	s = scout_of(o, l);
	for (int k = 0; k < AT_ONCE && l->scouted_ns <= ns && source_next(s, &r); k++) {
		if (r.t > l->scouted_ns)
			l->scouted_ns = r.t;
		remember(o, l, &r);
		any = true;
	}
	return any;
}

/*
 * If it is known where one is that E waits for, read it, or a part of what is
 * before it; but while others can go out at all, it comes by itself, mostly.
 */
static bool
fetch(struct order *o, struct node *e, int64_t ns, bool idle)
{
	for (const struct wait *w = e->needs; w; w = w->mine) {
		const uint64_t *slot = w->done || w->provider ? NULL : ids_find(&o->ahead, w->id);
		struct lane *l;
		bool any = false;

		if (!slot || !is_ahead(o, *slot))
			continue;
		if (!idle && order_postpone(o, e, ns))
			return true;
		l = &o->lanes[*slot & ((1U << LANE_BITS) - 1)];
		for (int k = 0; k < AT_ONCE && is_ahead(o, *slot) && order_load(o, l); k++)
			any = true;
		if (any)
			return true;
	}
	return false;
}

bool
scout_fetch(struct order *o, struct node *e, int64_t ns, bool idle)
{
	for (bool any = true; any;) {
		if (order_bytes_held(o) > o->spec->buffer)
			return false;
		if (fetch(o, e, ns, idle))
			return true;
		any = false;
		for (unsigned i = 0; i < o->n_lanes; i++)
			if (o->lanes[i].scouted)
				any |= look(o, &o->lanes[i], ns);
	}
	return order_read_beyond(o, ns);
}
