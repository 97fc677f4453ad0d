#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/plain.h"
#include "causal/scheduler.h"
#include "causal/tree.h"

enum { TAPE = 64 };

struct plain_head {
	const struct descriptor *d, *end;	/* of the records that are left of the block */
	const char *bytes;
};

struct plain {
	struct scheduler *s;
	struct tree tree;
	struct plain_head *heads;
	struct span tape[TAPE];
	size_t n;
};

static void
print_tape(struct plain *p)
{
	const struct scheduler_spec *spec = p->s->spec;

	spec->print_bytes(p->tape, p->n, spec->cookie);
	p->s->count->records += (int64_t)p->n;
	p->n = 0;
}

/* The next block of source I. */
static void
next_block(struct plain *p, unsigned i)
{
	struct plain_head *h = &p->heads[i];
	const struct block *b;
	size_t k;

	if (cursor_peek(p->s->cursor, i, &b, &k) != 1) {
		tree_set(&p->tree, i, TREE_NONE);
		return;
	}
	*h = (struct plain_head){ b->v + k, b->v + b->n, b->bytes };
	cursor_skip(p->s->cursor, i, b->n - k);
	tree_set(&p->tree, i, h->d->t);
}

/* A record in pieces, which may be in several blocks: the pieces follow it at once. */
static void
print_pieces(struct plain *p, unsigned i)
{
	const struct scheduler_spec *spec = p->s->spec;
	struct plain_head *h = &p->heads[i];
	bool more = true;

	print_tape(p);
	while (more) {
		const struct span piece = { h->bytes + h->d->at, h->d->n };

		if (h->d->flags & RECORD_PIECE)
			spec->print_piece(piece, spec->cookie);
		else
			spec->print_bytes(&piece, 1, spec->cookie);
		more = h->d->flags & RECORD_MORE;
		if (++h->d == h->end)
			next_block(p, i);
		more = more && p->tree.key[i] != TREE_NONE && (h->d->flags & RECORD_PIECE);
	}
	p->s->count->records++;
	if (p->tree.key[i] != TREE_NONE)
		tree_set(&p->tree, i, h->d->t);
}

static void
print_first(struct plain *p, unsigned i)
{
	struct plain_head *h = &p->heads[i];
	const struct descriptor *d = h->d;

	p->tape[p->n] = (struct span){ h->bytes + d->at, d->n };
	__builtin_prefetch(p->tape[p->n++].p);
	p->s->count->inherited += d->flags & RECORD_INHERITED;
	if (++h->d != h->end) {
		if (p->n == TAPE)
			print_tape(p);
		tree_set(&p->tree, i, h->d->t);
		return;
	}
	/* The block goes when the next one is taken. */
	print_tape(p);
	next_block(p, i);
}

void
plain_run(struct scheduler *s)
{
	struct plain p = { .s = s, .heads = xcalloc(s->n + 1, sizeof *p.heads) };
	unsigned i;

	tree_init(&p.tree, s->n ? s->n : 1);
	for (i = 0; i < s->n; i++)
		next_block(&p, i);
	while (p.tree.key[i = tree_first(&p.tree)] != TREE_NONE) {
		if (p.heads[i].d->flags & RECORD_MORE)
			print_pieces(&p, i);
		else
			print_first(&p, i);
		if (p.n == 0 && s->spec->stopped && s->spec->stopped(s->spec->cookie))
			break;
	}
	print_tape(&p);
	tree_release(&p.tree);
	free(p.heads);
}
