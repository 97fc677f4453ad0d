#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bloom.h"
#include "base/xalloc.h"
#include "causal/index.h"

enum { CAP_MIN = 1 << 12, HUGE_PAGE = 2 << 20, AT_ONCE = 16, FEW = CAP_MIN / 2 };

/* An id that was sent at a time. */
struct sent {
	uint64_t id;
	int64_t t;
};

struct index {
	struct index_entry *v;		/* open addressing, linear probing */
	size_t cap, n;			/* CAP is a power of two */
	int64_t remember_ns, limit_ns;
	size_t most;			/* ids that are remembered */
	bool (*keep)(uint64_t id, void *cookie);
	void *cookie;
	struct bloom forgotten;
	struct sent *log;		/* a ring of LOG_CAP, which is 0 or a power of two, in the order of output */
	size_t log_head, log_n, log_cap;
};

static struct index_entry *
table_new(size_t cap)
{
	size_t bytes = cap * sizeof(struct index_entry);
	void *p;

	if (bytes < 2 * HUGE_PAGE || !(p = aligned_alloc(HUGE_PAGE, bytes)))
		return xcalloc(cap, sizeof(struct index_entry));
	/* Entries are looked up in no order, and small pages would need as many translations. */
	(void)madvise(p, bytes, MADV_HUGEPAGE);
	return memset(p, 0, bytes);
}

struct index *
index_new(int64_t remember_ns, size_t bytes)
{
	struct index *x = xcalloc(1, sizeof *x);

	x->cap = CAP_MIN;
	x->v = table_new(x->cap);
	x->remember_ns = remember_ns;
	x->limit_ns = INT64_MIN;
	x->most = bytes / (sizeof(struct index_entry) + sizeof(struct sent));
	if (x->most < FEW)
		x->most = FEW;
	return x;
}

void
index_free(struct index *x)
{
	if (!x)
		return;
	free(x->v);
	free(x->log);
	bloom_release(&x->forgotten);
	free(x);
}

static struct index_entry *
slot(const struct index *x, uint64_t id)
{
	size_t i = id & (x->cap - 1);

	while (x->v[i].id && x->v[i].id != id)
		i = (i + 1) & (x->cap - 1);
	return &x->v[i];
}

struct index_entry *
index_find(const struct index *x, uint64_t id)
{
	struct index_entry *e = slot(x, id);

	return e->id ? e : NULL;
}

static bool
is_kept(const struct index *x, const struct index_entry *e)
{
	if (e->state != INDEX_SENT)
		return e->state != INDEX_NONE;
	return e->t >= x->limit_ns || (x->keep && x->keep(e->id, x->cookie));
}

/* The N entries of V go into the filter, whose cache misses overlap. */
static void
forget_entries(struct index *x, struct index_entry **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bloom_prefetch(&x->forgotten, v[i]->id);
	for (size_t i = 0; i < n; i++) {
		bloom_add(&x->forgotten, v[i]->id);
		v[i]->id = 0;
	}
}

/* Free the entries that need not be remembered; returns how many are left. */
static size_t
forget_old(struct index *x)
{
	struct index_entry *gone[AT_ONCE];
	size_t kept = 0, n = 0;

	for (size_t i = 0; i < x->cap; i++) {
		struct index_entry *e = &x->v[i];

		if (!e->id)
			continue;
		if (is_kept(x, e)) {
			kept++;
		} else if (e->state == INDEX_SENT) {
			gone[n++] = e;
		} else {
			e->id = 0;
		}
		if (n == AT_ONCE) {
			forget_entries(x, gone, n);
			n = 0;
		}
	}
	forget_entries(x, gone, n);
	return kept;
}

/* Entries were freed: put each of the others where it is found. */
static void
close_gaps(struct index *x)
{
	const size_t mask = x->cap - 1;
	size_t start = 0;

	while (x->v[start].id)
		start++;
	/* From a free place on, an entry only moves to places that were settled before. */
	for (size_t k = 1; k < x->cap; k++) {
		struct index_entry *e = &x->v[(start + k) & mask], own = *e, *to;

		if (!own.id || &x->v[own.id & mask] == e)
			continue;
		e->id = 0;
		to = slot(x, own.id);
		*to = own;
	}
}

/* Forget what need not be remembered; a larger table where half of the old one is left. */
static void
rebuild(struct index *x)
{
	struct index_entry *old = x->v;
	size_t cap = x->cap;

	x->n = forget_old(x);
	while (x->n * 2 >= x->cap)
		x->cap *= 2;
	if (x->cap == cap) {
		close_gaps(x);
		return;
	}
	x->v = table_new(x->cap);
	for (size_t i = 0; i < cap; i++)
		if (old[i].id)
			*slot(x, old[i].id) = old[i];
	free(old);
}

struct index_entry *
index_put(struct index *x, uint64_t id)
{
	struct index_entry *e = slot(x, id);

	if (e->id)
		return e;
	if (x->n * 8 >= x->cap * 5) {
		rebuild(x);
		e = slot(x, id);
	}
	*e = (struct index_entry){ .id = id };
	x->n++;
	return e;
}

bool
index_is_sent(const struct index *x, const struct index_entry *e, int64_t ns)
{
	return e->state == INDEX_SENT && (x->remember_ns == INT64_MAX || e->t >= ns - x->remember_ns);
}

void
index_prefetch(const struct index *x, uint64_t id)
{
	__builtin_prefetch(&x->v[id & (x->cap - 1)]);
}

void
index_forget(struct index *x, struct index_entry *e)
{
	bloom_add(&x->forgotten, e->id);
	e->state = INDEX_NONE;
}

bool
index_is_forgotten(const struct index *x, uint64_t id)
{
	return bloom_has(&x->forgotten, id);
}

static void
log_grow(struct index *x)
{
	const size_t cap = x->log_cap ? x->log_cap * 2 : CAP_MIN;
	struct sent *v = xrealloc(NULL, cap, sizeof *v);

	for (size_t i = 0; i < x->log_n; i++)
		v[i] = x->log[(x->log_head + i) & (x->log_cap - 1)];
	free(x->log);
	x->log = v;
	x->log_head = 0;
	x->log_cap = cap;
}

void
index_set_sent(struct index *x, struct index_entry *e, int64_t t, uint32_t source, int64_t where)
{
	e->state = INDEX_SENT;
	e->t = t;
	e->source = source;
	e->where = where;
	if (x->log_n == x->log_cap)
		log_grow(x);
	x->log[(x->log_head + x->log_n++) & (x->log_cap - 1)] = (struct sent){ e->id, t };
}

/* Take E out of the table: of those behind it, each moves into the gap that would not be found otherwise. */
static void
entry_remove(struct index *x, struct index_entry *e)
{
	const size_t mask = x->cap - 1;
	size_t gap = (size_t)(e - x->v);

	for (size_t i = (gap + 1) & mask; x->v[i].id; i = (i + 1) & mask)
		if (((i - x->v[i].id) & mask) >= ((i - gap) & mask)) {
			x->v[gap] = x->v[i];
			gap = i;
		}
	x->v[gap].id = 0;
	x->n--;
}

/* Forget the first N ids of the log, unless they were sent again since. */
static void
forget_sent(struct index *x, size_t n)
{
	const struct sent *v[AT_ONCE];

	for (size_t i = 0; i < n; i++) {
		v[i] = &x->log[(x->log_head + i) & (x->log_cap - 1)];
		index_prefetch(x, v[i]->id);
		bloom_prefetch(&x->forgotten, v[i]->id);
	}
	for (size_t i = 0; i < n; i++) {
		struct index_entry *e = index_find(x, v[i]->id);

		if (!e || e->state != INDEX_SENT || is_kept(x, e))
			continue;
		bloom_add(&x->forgotten, e->id);
		entry_remove(x, e);
	}
	x->log_head = (x->log_head + n) & (x->log_cap - 1);
	x->log_n -= n;
}

void
index_passed(struct index *x, int64_t ns)
{
	size_t n = AT_ONCE;

	/* Too many were sent in that time: what is beyond is forgotten by time as well. */
	if (x->log_n > x->most) {
		const int64_t t = x->log[(x->log_head + x->log_n - x->most) & (x->log_cap - 1)].t;

		ns = t > ns ? t : ns;
	}
	x->limit_ns = ns;
	while (n == AT_ONCE && x->n > FEW) {
		for (n = 0; n < AT_ONCE && n < x->log_n && x->log[(x->log_head + n) & (x->log_cap - 1)].t < ns; n++)
			;
		forget_sent(x, n);
	}
}

void
index_keep(struct index *x, bool (*keep)(uint64_t id, void *cookie), void *cookie)
{
	x->keep = keep;
	x->cookie = cookie;
}
