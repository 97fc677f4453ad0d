#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "output/ring.h"

void
ring_init(struct ring *r, size_t cap)
{
	*r = (struct ring){ .cap = cap };
}

static void
let_go(struct event *e)
{
	free((void *)(uintptr_t)e->raw.p);
	free((void *)(uintptr_t)e->arrows);
}

void
ring_clear(struct ring *r)
{
	for (; r->n; r->n--) {
		let_go(&r->v[r->first]);
		r->first = (r->first + 1) % r->cap;
	}
	r->first = 0;
}

void
ring_release(struct ring *r)
{
	ring_clear(r);
	free(r->v);
	*r = (struct ring){ .v = NULL };
}

const struct event *
ring_get(const struct ring *r, size_t i)
{
	return &r->v[(r->first + i) % r->cap];
}

/* Both texts in one block: that of the event is seldom part of the raw one's beginning. */
static void
copy_texts(struct event *e)
{
	size_t raw = e->raw.n < RING_TEXT ? e->raw.n : RING_TEXT, text = e->text.n < RING_TEXT ? e->text.n : RING_TEXT;
	char *p = xrealloc(NULL, raw + text + 1, 1);

	memcpy(p, e->raw.n ? e->raw.p : "", raw);
	memcpy(p + raw, e->text.n ? e->text.p : "", text);
	e->raw = (struct span){ p, raw };
	e->text = (struct span){ p + raw, text };
}

void
ring_add(struct ring *r, const struct event *e)
{
	struct event *slot;
	struct arrow *arrows = xcalloc(e->n_arrows + 1, sizeof *arrows);

	if (r->n == r->cap) {
		let_go(&r->v[r->first]);
		r->first = (r->first + 1) % r->cap;
		r->n--;
		r->lost++;
	}
	if (!r->v)
		r->v = xcalloc(r->cap, sizeof *r->v);
	slot = &r->v[(r->first + r->n++) % r->cap];
	*slot = *e;
	copy_texts(slot);
	for (size_t i = 0; i < e->n_arrows; i++) {
		arrows[i] = e->arrows[i];
		arrows[i].id = (struct span){ NULL, 0 };
	}
	slot->arrows = arrows;
}
