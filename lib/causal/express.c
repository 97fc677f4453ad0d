#include "causal/express.h"

enum {
	TAPE = 64,
	NOW_AND_THEN = 256,	/* records, between two looks at what may be forgotten */
};

struct express {
	struct scheduler *s;
	struct span tape[TAPE];
	const struct block *pinned[TAPE];	/* of a record that a sorter gave; else NULL */
	size_t n;
};

static void
print_tape(struct express *x)
{
	const struct scheduler_spec *spec = x->s->spec;

	if (x->n == 0)
		return;
	spec->print_bytes(x->tape, x->n, spec->cookie);
	x->s->count->records += (int64_t)x->n;
	for (size_t i = 0; i < x->n; i++)
		if (x->pinned[i])
			cursor_unpin(x->s->cursor, x->pinned[i]);
	x->n = 0;
}

/* Print the head H of Q, whose block stays until the tape is printed. */
static void
print_head(struct express *x, struct queue *q, const struct lane_head *h)
{
	struct scheduler *s = x->s;
	const struct descriptor *d = &h->block->v[h->index];

	if (!s->spec->print_bytes || d->flags & (RECORD_PARTIAL | RECORD_MORE)) {
		print_tape(x);
		scheduler_show_head(s, q);
		if (q->sorter)
			lane_drop(&s->lane, q);
		return;
	}
	if (d->t > s->now_ns)
		s->now_ns = d->t;
	s->count->inherited += d->flags & RECORD_INHERITED;
	q->full = false;
	x->pinned[x->n] = q->sorter ? queue_take_sorted(q) : NULL;
	x->tape[x->n] = (struct span){ h->block->bytes + d->at, d->n };
	__builtin_prefetch(x->tape[x->n++].p);
	if (x->n == TAPE)
		print_tape(x);
}

/* The record after the head of Q; false where it is no head of the lane. */
static bool
move_on(struct express *x, struct queue *q, struct lane_head *h)
{
	struct scheduler *s = x->s;

	if (q->sorter) {
		scheduler_begin(s, q);
		return true;
	}
	if (!h->queued && h->index + 1 < h->block->n) {
		cursor_advance(q->cursor, q->number);
		h->index++;
		if (lane_enter_next(&s->lane, q, h))
			return true;
	} else {
		/* The block goes when the next one is taken. */
		print_tape(x);
		lane_drop(&s->lane, q);
		if (lane_enter(&s->lane, q))
			return true;
	}
	scheduler_admit(s, q);
	return false;
}

void
express_run(struct scheduler *s, bool (*may)(struct scheduler *s, const struct sort_key *key))
{
	struct express x = { .s = s, .n = 0 };
	struct lane *l = &s->lane;
	struct sort_key key;
	bool goes_on = true;

	while (goes_on && lane_first(l, &key) && may(s, &key)) {
		struct queue *q = l->queues[tree_first(&l->tree)];
		struct lane_head *h = &l->heads[q->number];

		if (key.t >= s->ahead_ns && scheduler_look_ahead(s, key.t))
			continue;
		if (!lane_is_met(l, q))
			break;
		print_head(&x, q, h);
		lane_sent(l, q);
		goes_on = move_on(&x, q, h);
		if (++s->turns % NOW_AND_THEN == 0) {
			scheduler_forget(s);
			goes_on = goes_on && !(s->spec->stopped && s->spec->stopped(s->spec->cookie));
		}
	}
	print_tape(&x);
}
