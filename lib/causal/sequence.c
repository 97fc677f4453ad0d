/*
 * Sequences of numbers, and the monotonic clock of a boot.
 *
 * A record stands behind all admitted records of its sequence with a lower number.
 * These are kept sorted: they come nearly in order, and the lowest leaves first,
 * so few are moved.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "causal/idmap.h"
#include "causal/kind.h"
#include "causal/known_ids.h"

struct numbered {
	int64_t number;
	struct node *node;
};

struct series {
	struct numbered *v;
	size_t head, n, cap;		/* from HEAD on */
	bool mono;			/* of a boot's clock */
	uint64_t last;			/* the highest number that is printed, plus 1; 0 for none */
	struct index_entry at;		/* where the record is that has it */
};

struct sequence {
	struct kind_env env;
	struct idmap by_id;		/* to pointers to the following */
	struct series **v;		/* in the order in which they came up */
	size_t n, cap;
};

static void *
sequence_open(const struct kind_env *env)
{
	struct sequence *q = xcalloc(1, sizeof *q);

	q->env = *env;
	return q;
}

static struct series *
series_find(const struct sequence *q, uint64_t id)
{
	const uint64_t *slot = idmap_find(&q->by_id, id);

	return slot ? (struct series *)(uintptr_t)*slot : NULL;
}

static struct series *
series_get(struct sequence *q, const struct constraint *x)
{
	struct series *s = series_find(q, x->id);

	if (s)
		return s;
	s = xcalloc(1, sizeof *s);
	s->mono = x->what == CONSTRAINT_MONO;
	*idmap_put(&q->by_id, x->id) = (uint64_t)(uintptr_t)s;
	q->v = xgrow(q->v, q->n, &q->cap, sizeof *q->v);
	q->v[q->n++] = s;
	return s;
}

/* How many members have a lower number. */
static size_t
count_below(const struct series *s, int64_t number)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[s->head + mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
series_add(struct series *s, struct node *e, int64_t number)
{
	size_t i;

	if (s->head && s->head + s->n == s->cap) {
		memmove(s->v, s->v + s->head, s->n * sizeof *s->v);
		s->head = 0;
	}
	s->v = xgrow(s->v, s->head + s->n, &s->cap, sizeof *s->v);
	i = s->n == 0 || s->v[s->head + s->n - 1].number <= number ? s->n : count_below(s, number);
	memmove(s->v + s->head + i + 1, s->v + s->head + i, (s->n - i) * sizeof *s->v);
	s->v[s->head + i] = (struct numbered){ number, e };
	s->n++;
}

static void
series_remove(struct series *s, const struct node *e, int64_t number)
{
	size_t i = count_below(s, number);

	while (i < s->n && s->v[s->head + i].node != e)
		i++;
	if (i == s->n)
		return;
	if (i == 0)
		s->head++;
	else
		memmove(s->v + s->head + i, s->v + s->head + i + 1, (s->n - i - 1) * sizeof *s->v);
	s->n--;
}

static const struct constraint *
number_of(const struct node *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->v[i].what == CONSTRAINT_SEQUENCE)
			return &e->v[i];
	return NULL;
}

/* The numbers of one sequence decide about A and B, and not the clock. */
static bool
is_decided(const struct node *a, const struct node *b)
{
	const struct constraint *x = number_of(a), *y = number_of(b);

	return x && y && x->id == y->id && !x->own;
}

/* A sequence without an id may begin anew: only two numbers in a row are told apart. */
static bool
is_next(const struct constraint *x, int64_t below)
{
	return !x->own || x->n - below == 1;
}

/* The last admitted record that E must stand behind because of X; NULL for none. */
static struct node *
series_before(const struct series *s, const struct node *e, const struct constraint *x)
{
	size_t i = count_below(s, x->n);

	while (i && x->what == CONSTRAINT_MONO && is_decided(s->v[s->head + i - 1].node, e))
		i--;
	return i && is_next(x, s->v[s->head + i - 1].number) ? s->v[s->head + i - 1].node : NULL;
}

/* Is the record with number N of sequence ID printed, as E asks? */
static bool
is_printed(const struct sequence *q, const struct node *e, uint64_t id, int64_t n)
{
	const struct index_entry *x = index_find(q->env.index, rule_tick_id(id, n));

	return x && index_is_sent(q->env.index, x, e->t);
}

/* Is a record that follows E printed already, as the numbers have it? */
static bool
is_late(const struct sequence *q, const struct series *s, const struct node *e, const struct constraint *x)
{
	const struct constraint *number = number_of(e);
	bool counts = x->what == CONSTRAINT_SEQUENCE ? !q->env.live || !x->sparse :
	    !q->env.live && !(number && !number->own);

	return counts && ((s->last && !x->own && (int64_t)s->last > x->n + 1) ||
	    (x->what == CONSTRAINT_SEQUENCE && is_printed(q, e, x->id, x->n + 1)));
}

/* In a merged log what a source counted by itself is not told from others. */
static bool
is_ignored(const struct sequence *q, const struct constraint *x)
{
	return q->env.verify && (x->own || x->sparse);
}

static void
sequence_admit(void *state, struct node *e, const struct constraint *x)
{
	struct sequence *q = state;
	struct series *s = series_get(q, x);
	uint64_t before = rule_tick_id(x->id, x->n - 1);

	if (is_ignored(q, x))
		return;
	series_add(s, e, x->n);
	if (x->what == CONSTRAINT_SEQUENCE && is_printed(q, e, x->id, x->n))
		return;			/* the first record with a number counts */
	if (!q->env.verify && is_late(q, s, e, x))
		exchange_late(q->env.exchange, e, &s->at, x);
	if (x->what == CONSTRAINT_MONO)
		return;
	exchange_send(q->env.exchange, e, rule_tick_id(x->id, x->n));
	/* With a prescan it is known whether the record before it is still to come. */
	if (!x->sparse && x->n > 0 &&
	    (q->env.verify || (q->env.known && !known_ids_is_unsent(q->env.known, before))))
		exchange_need(q->env.exchange, e, before, CONSTRAINT_CLOCK, UINT16_MAX, true);
}

/* E is printed whatever the clock of its boot shows; of two records the later one shows that the order is wrong. */
static void
verify_mono(struct sequence *q, const struct series *s, struct node *e, const struct constraint *x)
{
	const struct constraint *number = number_of(e);

	if (!(number && !number->own) && s->last && (int64_t)s->last > x->n + 1)
		exchange_late(q->env.exchange, e, &s->at, x);
}

/* The number before that of E is neither admitted nor printed. */
static void
check_gap(struct sequence *q, const struct series *s, struct node *e, const struct constraint *x)
{
	if (!s->last || (int64_t)s->last >= x->n || x->sparse)
		return;
	if (!e->fifo)
		exchange_wait_once(q->env.exchange, e, rule_tick_id(x->id, x->n - 1), x);
	if (e->judged) {
		q->env.count->gaps++;
		node_mark(e, "gap");
	}
}

static void
sequence_check_due(void *state, struct node *e, const struct constraint *x, bool again)
{
	struct sequence *q = state;
	const struct series *s = series_get(q, x);
	struct node *before;

	if (is_ignored(q, x))
		return;
	if (q->env.verify && x->what == CONSTRAINT_MONO) {
		verify_mono(q, s, e, x);
		return;
	}
	before = series_before(s, e, x);
	if (before && before != e && !before->out) {
		dag_wait_on(q->env.dag, e, before, (enum constraint_class)x->class, x->rule);
	} else if (!before && !again && x->what == CONSTRAINT_SEQUENCE) {
		dag_tell_sent(q->env.dag, e, index_find(q->env.index, rule_tick_id(x->id, x->n - 1)), 0, CONSTRAINT_CLOCK,
		    UINT16_MAX);
		check_gap(q, s, e, x);
	}
}

static void
sequence_retire(void *state, struct node *e, const struct constraint *x)
{
	struct sequence *q = state;
	struct series *s = series_get(q, x);

	if (is_ignored(q, x))
		return;
	series_remove(s, e, x->n);
	if (x->what == CONSTRAINT_MONO && (uint64_t)x->n + 1 <= s->last)
		return;
	s->last = (uint64_t)x->n + 1;
	s->at = (struct index_entry){ .state = INDEX_SENT, .source = e->rank, .where = e->where };
	if (x->what == CONSTRAINT_SEQUENCE)
		dag_sent(q->env.dag, e, rule_tick_id(x->id, x->n));
}

/* Each member waits for all that have the number before its own. */
static void
series_plan(struct sequence *q, const struct series *s)
{
	const struct numbered *v = s->v + s->head;
	size_t low = 0, from = 0;	/* FROM: the first of the same number, LOW: of the one before */

	for (size_t i = 1; i < s->n; i++) {
		if (v[i].number != v[i - 1].number) {
			low = from;
			from = i;
		}
		for (size_t k = low; k < from; k++)
			if (v[k].node != v[i].node && (s->mono ? !is_decided(v[k].node, v[i].node) :
			    is_next(number_of(v[i].node), v[k].number)))
				dag_wait_on(q->env.dag, v[i].node, v[k].node, CONSTRAINT_CLOCK, UINT16_MAX);
	}
}

static void
sequence_plan(void *state)
{
	struct sequence *q = state;

	for (size_t i = 0; i < q->n; i++)
		series_plan(q, q->v[i]);
}

static void
sequence_release(void *state)
{
	struct sequence *q = state;

	for (size_t i = 0; i < q->n; i++) {
		free(q->v[i]->v);
		free(q->v[i]);
	}
	free(q->v);
	idmap_release(&q->by_id);
	free(q);
}

/* Which journals have the other numbers of a sparse sequence is not known. */
static void
sequence_ids(const struct constraint *x, uint64_t *sent, uint64_t *needed)
{
	if (x->what != CONSTRAINT_SEQUENCE || x->sparse)
		return;
	*sent = rule_tick_id(x->id, x->n);
	if (x->n > 0)
		*needed = rule_tick_id(x->id, x->n - 1);
}

static bool
sequence_applies(const struct source *s)
{
	return s->fmt->group[FIELD_BOOT] >= 0 || s->fmt->keys[FIELD_BOOT] || s->fmt->where == WHERE_EXPORT || s->feed;
}

/*
 * The clock of its boot orders a record among those of that boot.  It does not
 * replace its time: the wall clock may have been set since, or have gone on while
 * the machine slept, and the records of other machines follow the wall clock.
 */
static void
add_boot(struct node *e, uint64_t boot, int64_t us)
{
	constraints_add(&e->own, CONSTRAINT_MONO, CONSTRAINT_CLOCK, boot)->n = us;
}

/* What the fields of a record say, and what its source knows of it beside its text. */
static void
sequence_find(struct node *e, const struct kind_record *r, unsigned own, struct causal_count *count)
{
	const struct event_meta *meta = r->meta;
	uint64_t boot;
	int64_t us;

	(void)own;
	if (rule_boot(r->fields, &boot, &us))
		add_boot(e, boot, us);
	if (meta && meta->boot)
		add_boot(e, meta->boot, meta->mono_us);
	if (meta && meta->sequence) {
		struct constraint *x = constraints_add(&e->own, CONSTRAINT_SEQUENCE, CONSTRAINT_CLOCK, meta->sequence);

		x->n = meta->number;
		x->sparse = meta->sparse;
	}
	if (meta && meta->gap) {
		count->gaps++;
		node_mark(e, "gap");
	}
}

const struct kind sequence_kind = {
	.name = "sequence", .takes = KIND_TAKES(CONSTRAINT_SEQUENCE) | KIND_TAKES(CONSTRAINT_MONO), .several_sources = true,
	.ids = sequence_ids, .applies = sequence_applies, .find = sequence_find,
	.open = sequence_open, .admit = sequence_admit, .check_due = sequence_check_due,
	.retire = sequence_retire, .plan = sequence_plan, .release = sequence_release,
};
