#include <stdlib.h>

#include "base/xalloc.h"
#include "log/check.h"
#include "record/matcher.h"
#include "causal/idmap.h"

/* A record, or a stop or start of an entity. */
struct checked_event {
	int64_t line, t, res;
};

struct life {
	bool started, stopped;
	struct checked_event start;		/* the last one, not yet stopped */
	bool again;			/* it was started before that already */
};

struct order_check {
	struct source *source;
	const struct rules *rules;
	void (*tell)(const struct violation *v, void *cookie);
	void *cookie;
	struct idmap parents;		/* by the id of a span's end */
	struct idmap ended;		/* spans, and at which line */
	struct idmap sent, wanted, lives;	/* wanted: the line of the last record that needs the id, + count << 40 */
	struct idmap boots, boot_lines;	/* the latest that each boot's clock has shown, plus 1, and where */
	uint64_t own;			/* the sequence of numbers without an id */
	int64_t found;
};

static void
report_violation(struct order_check *c, const struct constraint *x, int64_t line, int64_t cause, int64_t count)
{
	struct violation v = { c->source, line, cause,
	    x->rule == UINT16_MAX ? "clock" : c->rules->v[x->rule].name };

	c->found += count;
	c->tell(&v, c->cookie);
}

static void
sent(struct order_check *c, const struct constraint *x, uint64_t id, int64_t line)
{
	uint64_t *w = idmap_find(&c->wanted, id);

	*idmap_put(&c->sent, id) = 1;
	if (w && *w) {
		report_violation(c, x, (int64_t)(*w & ((UINT64_C(1) << 40) - 1)), line, (int64_t)(*w >> 40));
		*w = 0;
	}
}

static void
needed(struct order_check *c, uint64_t id, int64_t line)
{
	uint64_t *w;

	if (idmap_find(&c->sent, id))
		return;
	w = idmap_put(&c->wanted, id);
	*w = ((*w >> 40) + 1) << 40 | (uint64_t)line;
}

/* The span whose end X is: its parent must not have ended before. */
static void
child_ends(struct order_check *c, const struct constraint *x, int64_t line)
{
	const uint64_t *parent = idmap_find(&c->parents, x->id), *end = parent ? idmap_find(&c->ended, *parent) : NULL;

	if (end)
		report_violation(c, x, (int64_t)*end, line, 1);
}

/* A child of a span that has not ended yet; its first beginning counts. */
static void
began(struct order_check *c, const struct constraint *x)
{
	if (!idmap_find(&c->ended, x->id) && !idmap_find(&c->parents, (uint64_t)x->n))
		*idmap_put(&c->parents, (uint64_t)x->n) = x->id;
}

/* The clock of the boot BOOT shows N. */
static void
passes(struct order_check *c, uint64_t boot, int64_t n, int64_t line)
{
	static const struct constraint clock = { .rule = UINT16_MAX };
	uint64_t *most = idmap_put(&c->boots, boot), *at = idmap_put(&c->boot_lines, boot);

	if (*most > (uint64_t)n + 1) {
		report_violation(c, &clock, (int64_t)*at, line, 1);
		return;
	}
	*most = (uint64_t)n + 1;
	*at = (uint64_t)line;
}

/* As log/lifecycle.c pairs them: a stop that stands behind the start it belongs before. */
static void
turn(struct order_check *c, const struct constraint *x, const struct checked_event *e)
{
	uint64_t *slot = idmap_put(&c->lives, x->id);
	struct life *l;

	if (!*slot)
		*slot = (uint64_t)(uintptr_t)xcalloc(1, sizeof *l);
	l = (struct life *)(uintptr_t)*slot;
	if (x->what == CONSTRAINT_START) {
		l->again = l->started;
		l->start = *e;
		/* A start that a stop stands before has nothing to wait for. */
		if (l->stopped)
			l->start.line = 0;
		l->started = true;
		l->stopped = false;
		return;
	}
	if (l->started && l->start.line) {
		int64_t later = e->t - l->start.t, res = e->res > l->start.res ? e->res : l->start.res;

		if (later < res || (l->again && later <= x->n)) {
			report_violation(c, x, l->start.line, e->line, 1);
			l->start.line = 0;
			return;
		}
	}
	l->started = false;
	l->stopped = true;
}

/* By a sequence with an id: what a source counted by itself is not told from others once it is merged. */
static bool
is_numbered(const struct order_check *c, const struct constraint *x)
{
	return x->what == CONSTRAINT_SEQUENCE && !x->sparse && x->id != c->own;
}

static void
judge_event(struct order_check *c, const struct constraints *edges, const struct checked_event *e)
{
	for (size_t i = 0; i < edges->n; i++) {
		const struct constraint *x = &edges->v[i];

		if (x->what == CONSTRAINT_SEND) {
			sent(c, x, x->id, e->line);
			child_ends(c, x, e->line);
		} else if (x->what == CONSTRAINT_CHILD) {
			began(c, x);
		} else if (x->what == CONSTRAINT_END) {
			*idmap_put(&c->ended, x->id) = (uint64_t)e->line;
		}
		if (x->what == CONSTRAINT_CLOCK_SET || is_numbered(c, x))
			sent(c, x, rule_tick_id(x->id, x->n), e->line);
		else if (x->what == CONSTRAINT_STOP || x->what == CONSTRAINT_START)
			turn(c, x, e);
	}
	/* Behind what it sends, so that a record does not wait for itself. */
	for (size_t i = 0; i < edges->n; i++) {
		const struct constraint *x = &edges->v[i];

		if (x->what == CONSTRAINT_NEED)
			needed(c, x->id, e->line);
		else if (x->what == CONSTRAINT_CLOCK_NEED)
			needed(c, rule_tick_id(x->id, x->n), e->line);
		else if (is_numbered(c, x) && x->n > 0)
			needed(c, rule_tick_id(x->id, x->n - 1), e->line);
	}
}

static void
release(struct order_check *c)
{
	for (size_t i = 0; i < c->lives.cap; i++)
		if (c->lives.v[i].id)
			free((void *)(uintptr_t)c->lives.v[i].value);
	idmap_release(&c->lives);
	idmap_release(&c->parents);
	idmap_release(&c->ended);
	idmap_release(&c->sent);
	idmap_release(&c->wanted);
	idmap_release(&c->boots);
	idmap_release(&c->boot_lines);
}

int64_t
check_run(struct source *s, const struct rules *rules,
    void (*fn)(const struct violation *v, void *cookie), void *cookie, int64_t *records)
{
	struct order_check c = { .source = s, .rules = rules, .tell = fn, .cookie = cookie };
	struct constraints edges = { NULL, 0, 0 };
	bool *used = xcalloc(rules->n + 1, sizeof *used);
	struct fields fields;
	struct record r;
	int64_t line = 1, us;
	uint64_t boot;

	c.own = rule_own_sequence(s);
	/* All of them: what was merged has no order of its own that could be trusted. */
	for (size_t i = 0; i < rules->n; i++)
		used[i] = rule_is_for(&rules->v[i], s->fmt);
	s->matcher = matcher_new(rules, used);
	while (source_next(s, &r) > 0) {
		struct checked_event e = { line, r.t, r.res };

		++*records;
		for (const char *p = r.p; (p = memchr(p, '\n', (size_t)(r.p + r.n - p))); p++)
			line++;
		edges.n = 0;
		matcher_constraints(s->matcher, s, &r, &edges);
		if (source_fields(s, r.p, r.n, &fields)) {
			rule_clocks(s, &fields, &edges);
			/* Numbers are surer than a clock. */
			if (!fields.v[FIELD_SEQ].p && rule_boot(&fields, &boot, &us))
				passes(&c, boot, us, e.line);
		}
		judge_event(&c, &edges, &e);
	}
	free(edges.v);
	free(used);
	release(&c);
	return c.found;
}
