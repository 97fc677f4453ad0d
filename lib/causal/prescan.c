#include <stdlib.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "causal/clockmodel.h"
#include "causal/idmap.h"
#include "causal/kind.h"
#include "causal/known_ids.h"
#include "causal/prescan.h"
#include "causal/skew.h"
#include "causal/tree.h"
#include "record/cursor.h"

#define FOR_EVER	(INT64_MAX / 8)

enum {
	SAMPLE = 4 << 14,	/* records that are a sample */
	WHOLE = 64 << 20,	/* bytes that are read as a whole where a sample has needs without their senders */
	VIEW = 64 << 10,	/* read at once of each source */
	NEAR = 64 << 10,	/* near enough to a time */
	PIPE = 256 << 10,	/* bytes of what cannot be read twice, which are held */
};

struct prescan {
	struct idset needed;	/* not sent in the window before */
	struct idset found;	/* of these, the ids that are sent all the same */
	int64_t window_ns;
	bool forgot;		/* some that are needed may have been sent, long before */

	const struct prescan_spec *spec;
	struct kind_index kinds;
	struct source **v;
	unsigned n;
	struct idmap sent;	/* the time of each, and 1 */
	struct clockmodel *clocks;	/* NULL: nothing is to be known of clocks */
	bool only_clocks;	/* and of nothing else */
	int64_t newest_ns;
};

static int64_t
time_of(uint64_t value)
{
	return (int64_t)(value >> 1);
}

static bool
keep_sent(uint64_t id, uint64_t value, void *cookie)
{
	struct prescan *p = cookie;

	(void)id;
	if (time_of(value) >= p->newest_ns - p->window_ns)
		return true;
	p->forgot = true;
	return false;
}

/* A record that is read. */
struct read {
	struct source *source;
	const struct block *b;
	size_t k;
};

/* When R was stamped, with what the user says of the clock taken off. */
static struct clockmodel_stamp
stamp_of(const struct read *r)
{
	const struct domain *d = block_domain(r->b, r->k, r->source);

	return (struct clockmodel_stamp){ d ? d->number : r->source->rank, r->b->v[r->k].t, block_resolution(r->b, r->k) };
}

static void
note_send(struct prescan *p, const struct read *r, uint64_t id)
{
	const int64_t t = r->b->v[r->k].t;

	*idmap_put(&p->sent, id) = (uint64_t)(t < 0 ? 0 : t) << 1 | 1;
	if (p->needed.n > p->found.n && idset_has(&p->needed, id))
		idset_add(&p->found, id);
}

static void
note_need(struct prescan *p, uint64_t id)
{
	const uint64_t *sent = idmap_find(&p->sent, id);

	if (sent && p->newest_ns - time_of(*sent) <= p->window_ns)
		return;
	idset_add(&p->needed, id);
	/* It was sent, but so long before that it might have been forgotten as well. */
	if (sent)
		idset_add(&p->found, id);
}

static void
note_constraint(struct prescan *p, const struct read *r, const struct constraint *x)
{
	const struct kind *kind = kind_table[kind_of(&p->kinds, x)];
	uint64_t sent = 0, needed = 0;

	if (!kind->ids)
		return;
	kind->ids(x, &sent, &needed);
	if (sent)
		note_send(p, r, sent);
	if (needed)
		note_need(p, needed);
}

/* The constraints of R that count: without the format's clocks where these do not. */
static void
note_record(struct prescan *p, const struct read *r, bool clocks)
{
	const struct block *b = r->b;
	const bool timed = p->clocks && !(b->v[r->k].flags & RECORD_INHERITED);
	const struct clockmodel_stamp at = stamp_of(r);

	if (b->v[r->k].t > p->newest_ns)
		p->newest_ns = b->v[r->k].t;
	for (uint32_t i = b->first ? b->first[r->k] : 0; b->first && i < b->first[r->k + 1]; i++) {
		const struct constraint *x = &b->constraints[i];

		if (timed && x->rule != UINT16_MAX && kind_table[kind_of(&p->kinds, x)]->note_clock)
			kind_table[kind_of(&p->kinds, x)]->note_clock(p->clocks, &at, x);
		if (!p->only_clocks && (clocks || x->rule != UINT16_MAX))
			note_constraint(p, r, x);
	}
}

static struct cursor *
open_cursor(const struct prescan *p)
{
	const struct cursor_spec c = { .workers = p->spec->workers, .block = p->spec->block, .rules = p->spec->rules,
	    .used = p->spec->used };

	return cursor_open(p->v, p->n, &c);
}

/* Read all as if they were merged by time, MOST records at most. */
static void
read_by_time(struct prescan *p, size_t most)
{
	struct cursor *c = open_cursor(p);
	struct read *heads = xcalloc(p->n + 1, sizeof *heads);
	struct tree tree;
	unsigned i = 0;

	p->newest_ns = INT64_MIN / 2;
	p->sent = (struct idmap){ .keep = keep_sent, .cookie = p };
	tree_init(&tree, p->n ? p->n : 1);
	for (i = 0; i < p->n; i++) {
		heads[i].source = p->v[i];
		if (cursor_peek(c, i, &heads[i].b, &heads[i].k) == 1)
			tree_set(&tree, i, heads[i].b->v[heads[i].k].t);
	}
	for (size_t done = 0; done < most && tree.key[i = tree_first(&tree)] != TREE_NONE; done++) {
		struct read *r = &heads[i];

		note_record(p, r, p->spec->clocks[i]);
		cursor_advance(c, i);
		if (cursor_peek(c, i, &r->b, &r->k) == 1)
			tree_set(&tree, i, r->b->v[r->k].t);
		else
			tree_set(&tree, i, TREE_NONE);
	}
	tree_release(&tree);
	free(heads);
	cursor_close(c);
	idmap_release(&p->sent);
}

static void
rewind_all(const struct prescan *p)
{
	for (unsigned i = 0; i < p->n; i++)
		source_read_again(p->v[i]);
}

/* Of the ids that are needed, were some sent so long before that they had been forgotten? */
static void
search_all(struct prescan *p)
{
	struct cursor *c = open_cursor(p);
	const struct block *b;
	size_t k;

	for (unsigned i = 0; i < p->n; i++)
		for (; cursor_peek(c, i, &b, &k) == 1; cursor_advance(c, i))
			for (uint32_t j = b->first ? b->first[k] : 0; b->first && j < b->first[k + 1]; j++) {
				const struct constraint *x = &b->constraints[j];
				const struct kind *kind = kind_table[kind_of(&p->kinds, x)];
				uint64_t sent = 0, needed = 0;

				if (kind->ids && (x->rule != UINT16_MAX || p->spec->clocks[i]))
					kind->ids(x, &sent, &needed);
				if (sent && idset_has(&p->needed, sent))
					idset_add(&p->found, sent);
			}
	cursor_close(c);
	rewind_all(p);
}

/* The number of clocks. */
static unsigned
count_clocks(const struct prescan *p)
{
	unsigned n = 0;

	if (p->spec->domains)
		return domains_count(p->spec->domains);
	for (unsigned i = 0; i < p->n; i++)
		n = p->v[i]->rank >= n ? p->v[i]->rank + 1 : n;
	return n;
}

/* What is learned of the clocks; true where any is wrong. */
static bool
estimate_offsets(struct prescan *p, int64_t *offsets)
{
	const unsigned n = count_clocks(p);
	_cleanup_free_ unsigned *to = NULL;
	bool wrong;

	if (p->spec->domains && n <= SKEW_CLOCKS_MAX) {
		to = xcalloc((size_t)n + 1, sizeof *to);
		domains_sort(p->spec->domains, to, n);
	}
	wrong = n <= SKEW_CLOCKS_MAX && clockmodel_estimate(p->clocks, to, n, offsets);
	clockmodel_free(p->clocks);
	p->clocks = NULL;
	return wrong;
}

/* Add OFFSETS, by clock, to those of the sources; with SIGN -1 take them away again. */
static void
shift_offsets(const struct prescan *p, const int64_t *offsets, int sign)
{
	for (unsigned i = 0; p->spec->domains && i < domains_count(p->spec->domains) && i < SKEW_CLOCKS_MAX; i++)
		domains_at(p->spec->domains, i)->offset_ns += sign * offsets[i];
	for (unsigned i = 0; i < p->n; i++)
		if (p->spec->domains)
			source_renew_offset(p->v[i]);
		else
			p->v[i]->offset_ns += sign * offsets[p->v[i]->rank];
}

static void
read_again(struct prescan *p, const int64_t *offsets)
{
	idset_release(&p->needed);
	idset_release(&p->found);
	p->forgot = false;
	shift_offsets(p, offsets, 1);
	read_by_time(p, SIZE_MAX);
	rewind_all(p);
	shift_offsets(p, offsets, -1);
}

/* The ids that are needed and not found are told apart. */
static struct known_ids *
known_ids_of(struct prescan *p)
{
	struct known_ids *k = xcalloc(1, sizeof *k);

	k->window_ns = p->window_ns;
	for (size_t i = 0; i < p->needed.cap; i++)
		if (p->needed.v[i] && !idset_has(&p->found, p->needed.v[i]))
			idset_add(&k->unsent, p->needed.v[i]);
	idset_release(&p->needed);
	k->early = p->found;
	return k;
}

struct known_ids *
prescan_run(struct source **v, unsigned n, const struct prescan_spec *spec, int64_t *offsets)
{
	struct prescan p = { .v = v, .n = n, .spec = spec, .window_ns = spec->window_ns > 0 ? spec->window_ns : 1 };

	kind_index_init(&p.kinds);
	/* A clock of its own moves a record to where nothing is known of here. */
	for (unsigned i = 0; i < n; i++)
		if (spec->clocks[i])
			p.window_ns = FOR_EVER;
	p.clocks = offsets ? clockmodel_new(INT64_MAX) : NULL;
	read_by_time(&p, SIZE_MAX);
	rewind_all(&p);
	if (p.clocks && estimate_offsets(&p, offsets))
		read_again(&p, offsets);
	if (p.forgot && p.needed.n > p.found.n)
		search_all(&p);
	return known_ids_of(&p);
}

/* Where the first record of V at T or later is, if its times rise. */
static int64_t
find_time(struct source *v, int64_t size, int64_t t)
{
	int64_t lo = 0, hi = size, off, ns;

	while (hi - lo > NEAR) {
		int64_t mid = lo + (hi - lo) / 2;

		if (source_probe(v, mid, &off, &ns) && ns < t)
			lo = mid;
		else
			hi = mid;
	}
	return source_probe(v, lo, &off, &ns) ? off : 0;
}

/* Views of V from when all of them had begun, as far as they can be read twice; OF are their numbers in V. */
static unsigned
open_views(struct source **v, unsigned n, struct source **views, unsigned *of)
{
	int64_t off, ns, begun = INT64_MIN;
	unsigned k = 0;
	struct stat st;

	for (unsigned i = 0; i < n; i++) {
		if (!v[i]->seekable && v[i]->fd < 0)
			continue;
		of[k] = i;
		views[k] = source_view(v[i], 0, v[i]->seekable ? INT64_MAX : PIPE, VIEW);
		if (v[i]->seekable && v[i]->cut == CUT_TIMED && source_probe(views[k], 0, &off, &ns) && ns > begun)
			begun = ns;
		k++;
	}
	for (unsigned i = 0; i < k; i++) {
		off = 0;
		if (!views[i]->seekable)
			continue;
		if (views[i]->cut == CUT_TIMED && stat(views[i]->location, &st) == 0)
			off = find_time(views[i], st.st_size, begun);
		source_range(views[i], off, INT64_MAX);
	}
	return k;
}

/* Read the views V from where they stand, MOST records at most. */
static void
learn_clocks(struct prescan *p, size_t most)
{
	clockmodel_free(p->clocks);
	p->clocks = clockmodel_new(INT64_MAX);
	read_by_time(p, most);
}

/* Clocks that are further apart than a sample is long are known from all of the sources, unless these are large. */
static void
learn_from_all(struct prescan *p)
{
	int64_t bytes = 0;
	struct stat st;

	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i]->seekable && stat(p->v[i]->location, &st) == 0)
			bytes += st.st_size;
	if (bytes > WHOLE)
		return;
	for (unsigned i = 0; i < p->n; i++)
		source_range(p->v[i], 0, p->v[i]->seekable ? INT64_MAX : PIPE);
	learn_clocks(p, SIZE_MAX);
}

void
prescan_sample(struct source **v, unsigned n, const struct prescan_spec *spec, int64_t *offsets)
{
	struct source **views = xcalloc(n + 1, sizeof *views);
	unsigned *of = xcalloc(n + 1, sizeof *of), k = open_views(v, n, views, of);
	bool **used = xcalloc(n + 1, sizeof *used), *clocks = xcalloc(n + 1, sizeof *clocks), several = k > 1;
	struct prescan_spec part = *spec;
	struct prescan p = { .spec = &part, .v = views, .n = k, .window_ns = FOR_EVER, .only_clocks = true };

	kind_index_init(&p.kinds);
	for (unsigned i = 0; i < k; i++) {
		used[i] = spec->used[of[i]];
		clocks[i] = spec->clocks[of[i]];
		several |= views[i]->per_host;
	}
	part.used = used;
	part.clocks = clocks;
	part.workers = 0;
	if (several && count_clocks(&p) <= SKEW_CLOCKS_MAX) {
		learn_clocks(&p, SAMPLE);
		if (clockmodel_messages(p.clocks) < SKEW_MESSAGES_MIN && clockmodel_open(p.clocks) >= SKEW_MESSAGES_MIN)
			learn_from_all(&p);
		if (clockmodel_messages(p.clocks) >= SKEW_MESSAGES_MIN)
			estimate_offsets(&p, offsets);
	}
	for (unsigned i = 0; i < k; i++)
		source_close(views[i], NULL);
	clockmodel_free(p.clocks);
	free(views);
	free(of);
	free(used);
	free(clocks);
}
