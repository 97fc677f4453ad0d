/* Which sources need what of the scheduler, and its begin and end. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/known_ids.h"
#include "causal/scheduler.h"

static bool
finds(const struct format *fmt, enum field field)
{
	return fmt->group[field] >= 0 || fmt->keys[field];
}

static bool
has_emitters(const struct source *s)
{
	return s->fifo && (s->emitter || s->by_host || s->merged || finds(s->fmt, FIELD_EMITTER));
}

/* Does a record say where it is from, in whatever order the source is? */
static bool
names_emitters(const struct source *s)
{
	return s->emitter || s->merged || finds(s->fmt, FIELD_EMITTER);
}

static bool
has_series(const struct source *s)
{
	const struct format *f = s->fmt;

	return f->where == WHERE_EXPORT || finds(f, FIELD_BOOT) ||
	    (finds(f, FIELD_SEQ) && (!s->fifo || finds(f, FIELD_SEQID) || has_emitters(s)));
}

static bool
has_clocks(const struct source *s)
{
	return finds(s->fmt, FIELD_CLOCK) || has_series(s) ||
	    (s->fifo && !s->emitter && finds(s->fmt, FIELD_EMITTER));
}

/* Does a kind look for constraints of its own in the records of S? */
static bool
is_searched(const struct source *s)
{
	for (unsigned k = 0; k < KINDS; k++)
		if (kind_table[k]->applies && kind_table[k]->applies(s))
			return true;
	return false;
}

bool *
scheduler_rules_for(const struct rules *rules, const struct source *s, bool *any)
{
	bool *used = xcalloc(rules->n + 1, sizeof *used);

	*any = false;
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *r = &rules->v[i];

		/* The incarnations of one program in one file are in order already. */
		used[i] = rule_is_for(r, s->fmt) && !(r->kind == RULE_LIFECYCLE && rule_is_of_source(r) && s->fifo &&
		    !has_emitters(s)) && (r->kind != RULE_TRACE || s->traced);
		*any |= used[i];
	}
	return used;
}

bool
scheduler_is_needed(struct source **v, unsigned n, const struct rules *rules)
{
	bool any = false;

	for (unsigned i = 0; i < n && !any; i++) {
		free(scheduler_rules_for(rules, v[i], &any));
		any |= is_searched(v[i]) || !v[i]->fifo || has_clocks(v[i]) || has_emitters(v[i]);
	}
	return any;
}

/* The same for a merge by SPEC: --check trusts no order, so it asks for all of them. */
static bool *
rules_of(const struct scheduler_spec *spec, const struct source *s)
{
	bool any, *used = scheduler_rules_for(spec->rules, s, &any);

	for (size_t i = 0; spec->verify && !s->fifo && i < spec->rules->n; i++)
		used[i] = rule_is_for(&spec->rules->v[i], s->fmt);
	return used;
}

/* How far Q is admitted beyond a record that is printed. */
static void
choose_window(struct scheduler *s, struct queue *q)
{
	const struct scheduler_spec *spec = s->spec;
	const struct source *src = q->source;

	/* One of a series that is in several sources may stand behind what waits in another. */
	if (!src->fifo || q->by_emitter || (!spec->live && s->n > 1 && has_series(src)))
		q->window_ns = spec->patience_ns + 1;
	/* What is in order by several clocks is out of it by as much as these are apart. */
	if (!src->fifo && src->per_host)
		q->window_ns += domains_spread(src->domains);
	/* The earliest of a series may be the last in the file, but not in a journal: only all that is there tells. */
	if (spec->known && q->window_ns && has_series(src) && !(src->fifo && src->fmt->where == WHERE_EXPORT))
		q->window_ns = QUEUE_FAR_NS;
	for (size_t i = 0; i < spec->rules->n; i++) {
		const struct rule *r = &spec->rules->v[i];

		if (!s->used[q->number][i])
			continue;
		for (unsigned k = 0; k < KINDS; k++) {
			const int64_t ns = kind_table[k]->window_ns ? kind_table[k]->window_ns(r) : 0;

			q->asks |= ns > 0 || (kind_table[k]->asks && kind_table[k]->asks(r));
			if (ns > q->window_ns)
				q->window_ns = ns;
		}
	}
	if (spec->minimax)
		q->window_ns = QUEUE_FAR_NS;
}

bool
scheduler_has_clocks(const struct source *s)
{
	return has_clocks(s);
}

static struct queue *
queue_setup(struct scheduler *s, unsigned i, struct source *src)
{
	struct queue *q = xcalloc(1, sizeof *q);

	queue_init(q, s->cursor, i, src);
	if (s->spec->by_time) {
		q->fifo = q->lane = true;
		return q;
	}
	for (size_t k = 0; k < s->spec->rules->n; k++)
		q->rules |= s->used[i][k];
	q->clocks = has_clocks(src);
	q->finds = is_searched(src);
	q->by_emitter = has_emitters(src);
	q->has_emitter = q->by_emitter || (s->spec->verify && names_emitters(src));
	choose_window(s, q);
	if (!q->clocks && !q->finds && !s->spec->live && !s->spec->verify) {
		q->lane = q->fifo && !q->window_ns && !q->by_emitter;
		/* What is known to be sent is looked for behind records that wait, which takes nodes. */
		if ((!q->fifo || q->by_emitter) && !src->merged && !s->spec->minimax && !(q->rules && s->spec->known)) {
			q->lane = true;
			q->sorter = sorter_new(q->by_emitter);
		}
	}
	return q;
}

struct queue *
scheduler_add(struct scheduler *s, struct source *source)
{
	s->queues = xgrow(s->queues, s->n, &s->queues_cap, sizeof *s->queues);
	s->used = xgrow(s->used, s->n, &s->used_cap, sizeof *s->used);
	s->used[s->n] = rules_of(s->spec, source);
	cursor_add(s->cursor, source, s->used[s->n]);
	s->queues[s->n] = queue_setup(s, s->n, source);
	return s->queues[s->n++];
}

static bool
is_early(uint64_t id, void *cookie)
{
	return known_ids_is_early(cookie, id);
}

/* Another record has to do with what the head of Q sends. */
static void
admit_head(struct queue *q, void *cookie)
{
	scheduler_admit(cookie, q);
}

static void
settle_lane(void *cookie)
{
	struct scheduler *s = cookie;

	lane_settle(&s->lane, admit_head, s);
}

/* Is more wanted of the records than their times and constraints? */
static bool
needs_fields(const struct source *s)
{
	return finds(s->fmt, FIELD_BOOT) || s->fmt->where == WHERE_EXPORT ||
	    (has_emitters(s) && !s->emitter && finds(s->fmt, FIELD_EMITTER));
}

void
scheduler_open(struct scheduler *s, struct source **v, unsigned n, const struct scheduler_spec *spec,
    struct causal_count *count)
{
	struct dag_callbacks cb;
	struct cursor_spec c = { .workers = spec->workers, .block = spec->block, .ahead = spec->buffer,
	    .rules = spec->by_time ? NULL : spec->rules, .lines = spec->explain || spec->lines, .fields = spec->live,
	    .shown = spec->fields, .idle = spec->idle, .cookie = spec->cookie };

	*s = (struct scheduler){ .spec = spec, .count = count, .n = n, .now_ns = INT64_MIN, .ahead_ns = INT64_MIN,
	    .behind_ns = INT64_MIN, .why = BUF_INIT, .lines = spec->explain || spec->lines };
	kind_index_init(&s->kinds);
	s->index = index_new(spec->known ? INT64_MAX : spec->remember_ns,
	    spec->known || spec->verify ? SIZE_MAX : spec->buffer / 4);
	if (spec->known)
		index_keep(s->index, is_early, (void *)(uintptr_t)spec->known);
	cb = scheduler_dag_callbacks(s);
	s->dag = dag_new(s->index, &cb, !spec->minimax && !spec->verify, spec->live);
	s->refutations = refutations_new(spec->rules);
	s->exchange = exchange_new(s->dag, spec->known, count, spec->live, spec->relations ? spec->buffer / 4 : 0);
	s->queues_cap = s->used_cap = n + 1;
	s->queues = xcalloc(n + 1, sizeof *s->queues);
	s->used = xcalloc(n + 1, sizeof *s->used);
	for (unsigned i = 0; i < n; i++) {
		s->used[i] = rules_of(spec, v[i]);
		c.fields |= needs_fields(v[i]) || (spec->verify && names_emitters(v[i]));
	}
	c.used = s->used;
	s->cursor = cursor_open(v, n, &c);
	for (unsigned i = 0; i < n; i++)
		s->queues[i] = queue_setup(s, i, v[i]);
	lane_init(&s->lane, s->queues, n, s->index, s->dag, s->exchange, s->refutations, s->lines && !spec->by_time,
	    spec->by_time);
	exchange_on_head(s->exchange, settle_lane, admit_head, s);
}

void
scheduler_close(struct scheduler *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct queue *q = s->queues[i];

		for (size_t k = 0; k < q->nodes; k++)
			dag_retire(s->dag, queue_slot(q, k)->node);
		queue_release(q);
		free(q);
	}
	for (unsigned k = 0; k < KINDS; k++)
		if (s->states[k])
			kind_table[k]->release(s->states[k]);
	lane_release(&s->lane);
	exchange_free(s->exchange);
	refutations_free(s->refutations);
	dag_free(s->dag);
	index_free(s->index);
	cursor_close(s->cursor);
	for (unsigned i = 0; i < s->n; i++)
		free(s->used[i]);
	buf_release(&s->why);
	free(s->head_relations.v);
	free(s->used);
	free(s->queues);
}
