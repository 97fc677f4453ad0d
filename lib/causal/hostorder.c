#include "causal/hostorder.h"
#include "causal/idmap.h"
#include "record/cursor.h"

enum { VIEW = 64 << 10, NEEDED_MAX = 1 << 16 };

/* By id: the number of the clock domain that needs it, and 2 or more; or 1 where it was sent. */
static bool
is_contradicted(struct idmap *ids, const struct constraint *x, unsigned domain)
{
	uint64_t *v;

	if (x->what != CONSTRAINT_SEND && x->what != CONSTRAINT_NEED)
		return false;
	if (x->what == CONSTRAINT_NEED && ids->n >= NEEDED_MAX && !idmap_find(ids, x->id))
		return false;
	v = idmap_put(ids, x->id);
	if (x->what == CONSTRAINT_NEED && !*v)
		*v = (uint64_t)domain + 2;
	if (x->what == CONSTRAINT_SEND && *v > 1 && *v != (uint64_t)domain + 2)
		return true;
	if (x->what == CONSTRAINT_SEND)
		*v = 1;
	return false;
}

bool
hostorder_is_violated(struct source *s, const struct rules *rules, const bool *used)
{
	struct source *v = source_view(s, 0, s->seekable ? HOSTORDER_BYTES : HOSTORDER_PIPE, VIEW);
	bool *const one[] = { (bool *)(uintptr_t)used };
	const struct cursor_spec spec = { .block = VIEW, .rules = rules, .used = (bool **)(uintptr_t)one };
	struct cursor *c = cursor_open(&v, 1, &spec);
	struct idmap ids = { .v = NULL };
	const struct block *b;
	bool bad = false;
	size_t k;

	for (; !bad && cursor_peek(c, 0, &b, &k) == 1; cursor_advance(c, 0))
		for (uint32_t i = b->first[k]; !bad && i < b->first[k + 1]; i++)
			bad = is_contradicted(&ids, &b->constraints[i], block_domain(b, k, v)->number);
	cursor_close(c);
	idmap_release(&ids);
	source_close(v, NULL);
	return bad;
}
