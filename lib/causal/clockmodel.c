#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/clockmodel.h"
#include "causal/idages.h"
#include "causal/skew.h"

enum { OPEN_MAX = 1 << 18 };	/* needs whose sender has not come, at most */

/* A value of IDS: a time in microseconds, a clock, and what is known. */
enum { SENT = 1, NEEDED = 2, CLOCK_SHIFT = 2, CLOCK_MASK = 255, TIME_SHIFT = 10 };

_Static_assert((int)SKEW_CLOCKS_MAX <= (int)CLOCK_MASK, "a value tells the clocks apart");

struct clockmodel {
	int64_t window_ns, newest_ns;
	struct skew *recent, *before;
	struct idages ids;
	struct idages ends;		/* by span: its end, or the end of its last child */
	struct idmap parents;		/* by the id that a child's end sends: the span that it is a child of */
	int64_t open;
};

static uint64_t
value_of(const struct clockmodel_stamp *at, unsigned what)
{
	return (uint64_t)(at->t < 0 ? 0 : at->t / 1000) << TIME_SHIFT | (uint64_t)at->clock << CLOCK_SHIFT | what;
}

static struct clockmodel_stamp
stamp_of(uint64_t value)
{
	return (struct clockmodel_stamp){ (unsigned)(value >> CLOCK_SHIFT) & CLOCK_MASK, (int64_t)(value >> TIME_SHIFT) * 1000,
	    1000 };
}

static bool
keep_id(uint64_t id, uint64_t value, void *cookie)
{
	struct clockmodel *m = cookie;

	(void)id;
	if (stamp_of(value).t >= m->newest_ns - m->window_ns)
		return true;
	m->open -= (value & NEEDED) != 0;
	return false;
}

static void
forget_id(uint64_t value, void *cookie)
{
	struct clockmodel *m = cookie;

	m->open -= (value & NEEDED) != 0;
}

static bool
keep_end(uint64_t id, uint64_t value, void *cookie)
{
	const struct clockmodel *m = cookie;

	(void)id;
	return stamp_of(value).t >= m->newest_ns - m->window_ns;
}

static bool
keep_parent(uint64_t id, uint64_t value, void *cookie)
{
	(void)id;
	(void)cookie;
	return value != 0;
}

struct clockmodel *
clockmodel_new(int64_t window_ns)
{
	struct clockmodel *m = xcalloc(1, sizeof *m);

	m->window_ns = window_ns < INT64_MAX / 4 ? window_ns : INT64_MAX / 4;
	m->newest_ns = INT64_MIN / 2;
	/* Clocks that are far apart are known from what came first. */
	m->ids = (struct idages){ .keep_first = window_ns == INT64_MAX, .keep = keep_id, .forget = forget_id, .cookie = m };
	m->ends = (struct idages){ .keep_first = window_ns == INT64_MAX, .keep = keep_end, .cookie = m };
	m->parents.keep = keep_parent;
	m->recent = skew_new();
	m->before = skew_new();
	return m;
}

void
clockmodel_free(struct clockmodel *m)
{
	if (!m)
		return;
	skew_free(m->recent);
	skew_free(m->before);
	idages_release(&m->ids);
	idages_release(&m->ends);
	idmap_release(&m->parents);
	free(m);
}

static void
pair(struct clockmodel *m, const struct clockmodel_stamp *sent, const struct clockmodel_stamp *needed, int64_t res)
{
	skew_add(m->recent, sent->clock, needed->clock, sent->t, needed->t, res);
}

/* Is the stamp of a clock that counts?  The latest one tells what is old. */
static bool
is_counted(struct clockmodel *m, const struct clockmodel_stamp *at)
{
	if (at->clock >= SKEW_CLOCKS_MAX)
		return false;
	if (at->t > m->newest_ns)
		m->newest_ns = at->t;
	return true;
}

void
clockmodel_sent(struct clockmodel *m, const struct clockmodel_stamp *at, uint64_t id)
{
	uint64_t *v;

	if (!is_counted(m, at))
		return;
	v = idages_put(&m->ids, id);
	if (*v & NEEDED) {
		struct clockmodel_stamp needed = stamp_of(*v);

		pair(m, at, &needed, at->res > needed.res ? at->res : needed.res);
		m->open--;
	}
	if (!(*v & SENT))
		*v = value_of(at, SENT);
}

void
clockmodel_needed(struct clockmodel *m, const struct clockmodel_stamp *at, uint64_t id)
{
	const uint64_t *known = is_counted(m, at) ? idages_find(&m->ids, id) : NULL;

	if (at->clock >= SKEW_CLOCKS_MAX)
		return;
	if (known && (*known & SENT)) {
		struct clockmodel_stamp sent = stamp_of(*known);

		pair(m, &sent, at, at->res);
	} else if (!(known && *known) && m->open < OPEN_MAX) {
		*idages_put(&m->ids, id) = value_of(at, NEEDED);
		m->open++;
	}
}

void
clockmodel_child(struct clockmodel *m, uint64_t end, uint64_t span)
{
	if (m->parents.n < OPEN_MAX)
		*idmap_put(&m->parents, end) = span;
}

void
clockmodel_span_child_end(struct clockmodel *m, const struct clockmodel_stamp *at, uint64_t span)
{
	uint64_t *v;

	if (!is_counted(m, at))
		return;
	v = idages_put(&m->ends, span);
	if (*v & NEEDED) {
		struct clockmodel_stamp last = stamp_of(*v);

		pair(m, at, &last, at->res > last.res ? at->res : last.res);
	} else if (!(*v & SENT) || stamp_of(*v).clock == at->clock || stamp_of(*v).t < at->t) {
		*v = value_of(at, SENT);
	}
}

void
clockmodel_child_end(struct clockmodel *m, const struct clockmodel_stamp *at, uint64_t end)
{
	const uint64_t *span = is_counted(m, at) ? idmap_find(&m->parents, end) : NULL;

	if (span)
		clockmodel_span_child_end(m, at, *span);
}

void
clockmodel_end(struct clockmodel *m, const struct clockmodel_stamp *at, uint64_t span)
{
	uint64_t *v;

	if (!is_counted(m, at))
		return;
	v = idages_put(&m->ends, span);
	if (*v & SENT) {
		struct clockmodel_stamp child = stamp_of(*v);

		pair(m, &child, at, at->res);
	}
	*v = value_of(at, NEEDED);
}

void
clockmodel_age(struct clockmodel *m)
{
	skew_free(m->before);
	m->before = m->recent;
	m->recent = skew_new();
	idmap_release(&m->parents);
	m->parents = (struct idmap){ .keep = keep_parent };
}

int64_t
clockmodel_messages(const struct clockmodel *m)
{
	return skew_messages(m->recent) + skew_messages(m->before);
}

int64_t
clockmodel_open(const struct clockmodel *m)
{
	return m->open;
}

bool
clockmodel_estimate(const struct clockmodel *m, const unsigned *to, unsigned n, int64_t *offsets)
{
	_cleanup_free_ int64_t *sorted = NULL;
	struct skew *s;
	bool refuted = false;

	if (n > SKEW_CLOCKS_MAX)
		return false;
	s = skew_new();
	skew_add_all(s, m->recent);
	skew_add_all(s, m->before);
	refuted = skew_refutes(s, offsets, n);
	if (refuted) {
		sorted = xcalloc((size_t)n + 1, sizeof *sorted);
		if (to)
			skew_rename(s, to, n);
		skew_estimate(s, sorted, n);
		for (unsigned i = 0; i < n; i++)
			offsets[i] = sorted[to ? to[i] : i];
	}
	skew_free(s);
	return refuted;
}
