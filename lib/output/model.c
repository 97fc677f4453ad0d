#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "record/matcher.h"
#include "causal/idmap.h"
#include "causal/reason.h"
#include "record/scan.h"
#include "output/label.h"
#include "output/model.h"

enum {
	PAST = MODEL_REMEMBERED,
	EMITTERS_MAX = 4096,	/* the last of them stands for all others */
	NAME_MAX_BYTES = 64,
	TEXT_MAX_BYTES = 4096,	/* of a text made of JSON members */
};

struct past {
	int64_t t;
	unsigned emitter;
};

/* The matcher of a format's records, for the stops of their emitters and the ids of their messages. */
struct used {
	const struct format *format;
	struct matcher *matcher;
};

struct memory {
	uint64_t serial;		/* of the next event */
	const struct source *source;	/* of the event */
	struct past *past;		/* the last PAST of them, by serial; it grows up to that */
	size_t cap_past;
	struct idmap emitters;		/* number + 1 */
	struct idmap places;		/* serial + 1 of an event, by where its record is */
	struct idmap known;		/* the last event of another emitter that an emitter knew by its clock, serial + 1 */
	struct used *used;
	size_t n_used;
	struct constraints found;
	struct arrow *arrows;
	size_t n_arrows, cap_arrows;
	struct buf text;
};

static bool
is_recent(uint64_t id, uint64_t value, void *cookie)
{
	const struct memory *m = cookie;

	(void)id;
	return value + PAST > m->serial;
}

/* The record at WHERE of the source of rank SOURCE. */
static uint64_t
place_id(uint32_t source, int64_t where)
{
	return rule_tick_id(hash_bytes(0x70, (const char *)&source, sizeof source), where);
}

struct model *
model_new(const struct rules *rules)
{
	struct model *t = xcalloc(1, sizeof *t);
	struct memory *m = xcalloc(1, sizeof *m);

	t->rules = rules;
	t->memory = m;
	m->places.keep = m->known.keep = is_recent;
	m->places.cookie = m->known.cookie = m;
	m->text = (struct buf)BUF_INIT;
	return t;
}

void
model_free(struct model *t)
{
	struct memory *m = t ? t->memory : NULL;

	if (!t)
		return;
	for (unsigned i = 0; i < t->n_emitters; i++) {
		free(t->emitters[i].name);
		free(t->emitters[i].source);
	}
	free(t->emitters);
	for (size_t i = 0; i < m->n_used; i++)
		matcher_free(m->used[i].matcher);
	free(m->used);
	idmap_release(&m->emitters);
	idmap_release(&m->places);
	idmap_release(&m->known);
	free(m->past);
	free(m->found.v);
	free(m->arrows);
	buf_release(&m->text);
	free(m);
	free(t);
}

static struct matcher *
matcher_for(struct model *t, const struct format *fmt)
{
	struct memory *m = t->memory;
	_cleanup_free_ bool *rules = NULL;
	struct used *u;

	for (size_t i = 0; i < m->n_used; i++)
		if (m->used[i].format == fmt)
			return m->used[i].matcher;
	rules = xcalloc(t->rules->n + 1, sizeof *rules);
	for (size_t i = 0; i < t->rules->n; i++)
		rules[i] = rule_is_for(&t->rules->v[i], fmt);
	m->used = xrealloc(m->used, m->n_used + 1, sizeof *m->used);
	u = &m->used[m->n_used++];
	*u = (struct used){ fmt, matcher_new(t->rules, rules) };
	return u->matcher;
}

static bool
is_taken(const struct model *t, const char *name)
{
	for (unsigned i = 0; i < t->n_emitters; i++)
		if (strcmp(t->emitters[i].name, name) == 0)
			return true;
	return false;
}

/* Is the order of its records in the file no order of what happened? */
static bool
is_unordered(const struct source *s)
{
	return !s->fifo && !s->by_host && !s->merged;
}

/* The emitter called LABEL in S; the source itself if LABEL is empty. */
static unsigned
find_emitter(struct model *t, const struct source *s, struct span label)
{
	uint64_t id = hash_bytes(hash_bytes(0x65, s->name, strlen(s->name)), label.p ? label.p : "", label.n);
	uint64_t *slot = idmap_put(&t->memory->emitters, id);
	char *name;

	if (*slot)
		return (unsigned)*slot - 1;
	if (t->n_emitters == EMITTERS_MAX) {
		*slot = EMITTERS_MAX;
		return EMITTERS_MAX - 1;
	}
	name = label.n ? xstrndup(label.p, label.n < NAME_MAX_BYTES ? label.n : NAME_MAX_BYTES) : xstrdup(s->name);
	if (is_taken(t, name)) {
		char *both = xasprintf("%s:%s", s->name, name);

		free(name);
		name = both;
	}
	t->emitters = xrealloc(t->emitters, t->n_emitters + 1, sizeof *t->emitters);
	t->emitters[t->n_emitters] = (struct emitter){ .name = name, .source = xstrdup(s->name), .format = s->fmt, .id = id,
	    .unordered = is_unordered(s) };
	*slot = ++t->n_emitters;
	return t->n_emitters - 1;
}

/* Which program of those that wrote to a journal; all of a host are in order by its clock, but not one lane. */
static struct span
program_of(struct span entry)
{
	struct scan scan = { entry.p, entry.p + entry.n };
	struct span key, value, v = { NULL, 0 };

	while (scan_export(&scan, &key, &value)) {
		bool named = key.n == 17 && memcmp(key.p, "SYSLOG_IDENTIFIER", 17) == 0;

		if (named || (!v.p && key.n == 5 && memcmp(key.p, "_COMM", 5) == 0))
			v = value;
	}
	return v;
}

static struct span
emitter_of(const struct source *s, const struct fields *fields, struct span entry, struct span raw)
{
	return source_emitter(s, s->fmt->where == WHERE_EXPORT ? program_of(entry) : fields->v[FIELD_EMITTER], raw);
}

/* A JSON object that has no text: its members but those that are shown anyway. */
static struct span
members(struct model *t, const struct source *s, struct span raw)
{
	static const enum field shown[] = { FIELD_TIME, FIELD_EMITTER, FIELD_LEVEL };
	struct scan scan = { raw.p, raw.p + raw.n };
	struct buf *b = &t->memory->text;
	struct span key, value;

	buf_reset(b);
	while (b->len < TEXT_MAX_BYTES && scan_json(&scan, &key, &value)) {
		bool skip = value.n == 0 || (key.n == 2 && memcmp(key.p, "id", 2) == 0) ||
		    (value.n == 4 && memcmp(value.p, "null", 4) == 0);

		for (size_t i = 0; i < sizeof shown / sizeof *shown && !skip; i++)
			skip = format_has_key(s->fmt, shown[i], key);
		if (skip)
			continue;
		if (b->len)
			buf_putc(b, ' ');
		buf_add(b, key.p, key.n);
		buf_putc(b, '=');
		buf_add(b, value.p, value.n);
	}
	return b->len ? (struct span){ b->s, b->len } : raw;
}

static struct span
text_of(struct model *t, const struct source *s, const struct fields *fields, struct span raw)
{
	struct span v = fields->v[FIELD_BODY];
	struct stamp stamp;
	size_t n;

	if (!v.p && s->fmt->where == WHERE_JSON)
		v = members(t, s, raw);
	if (!v.p) {
		struct time_ctx c = s->time;

		n = s->fmt->where == WHERE_START ? time_parse(&c, raw.p, raw.n, &stamp) : 0;
		v = (struct span){ raw.p + n, raw.n - n };
	}
	for (; v.n && (*v.p == ' ' || *v.p == '\t'); v.n--)
		v.p++;
	return v;
}

/* The other record of R as an event, its serial + 1; 0 where it is not known any more. */
static uint64_t
event_of(const struct memory *m, const struct relation *r)
{
	const uint64_t *serial = idmap_find(&m->places, place_id(r->source, r->where));

	return serial && *serial + PAST > m->serial ? *serial : 0;
}

static void
add_arrow(struct model *t, const struct event *e, uint64_t other, const struct relation *x)
{
	struct memory *m = t->memory;
	const struct past *p = &m->past[(other - 1) % PAST];
	const struct rule *r = x->rule == UINT16_MAX ? NULL : &t->rules->v[x->rule];
	struct span id = { NULL, 0 };

	if (t->all && r && x->id)
		id = matcher_id(matcher_for(t, m->source->fmt), m->source, e->raw, x->rule, x->id);
	m->arrows = xgrow(m->arrows, m->n_arrows, &m->cap_arrows, sizeof *m->arrows);
	m->arrows[m->n_arrows++] = (struct arrow){ .from = other - 1, .emitter = p->emitter, .t = p->t, .class = x->class,
	    .back = x->violated, .learned = r && r->learned, .rule = r ? r->name : NULL, .id = id };
}

/* Does an arrow lead from the event OTHER, or is it of the emitter of E? */
static bool
is_drawn(const struct memory *m, const struct event *e, uint64_t other)
{
	for (size_t i = 0; i < m->n_arrows; i++)
		if (m->arrows[i].from == other - 1)
			return true;
	return m->past[(other - 1) % PAST].emitter == e->emitter;
}

static void
point_at(struct model *t, const struct event *e, uint64_t other, const struct relation *x)
{
	if (other && !is_drawn(t->memory, e, other))
		add_arrow(t, e, other, x);
}

/* What point_at() left out. */
static void
point_others(struct model *t, const struct event *e, const struct shown *x)
{
	struct memory *m = t->memory;
	const size_t n = m->n_arrows;

	for (size_t i = 0; i < x->n_relations; i++) {
		const struct relation *r = &x->relations[i];
		const uint64_t other = event_of(m, r);
		const char *rule = r->rule == UINT16_MAX ? NULL : t->rules->v[r->rule].name;
		bool has = !other || r->class == CONSTRAINT_CLOCK || r->class == CONSTRAINT_PROGRAM;

		for (size_t k = 0; k < n && !has; k++)
			has = m->arrows[k].from == other - 1 && m->arrows[k].class == r->class && m->arrows[k].rule == rule;
		if (!has)
			add_arrow(t, e, other, r);
	}
}

/*
 * A vector clock holds all that its sender knew.  What is new to this emitter came
 * by one message: the last one that holds it.
 */
static void
add_clock_arrows(struct model *t, const struct event *e, const struct shown *x)
{
	struct memory *m = t->memory;
	const struct relation *by = NULL;
	uint64_t last = 0;

	for (size_t i = 0; i < x->n_relations; i++) {
		const struct relation *r = &x->relations[i];
		const uint64_t other = r->class == CONSTRAINT_CLOCK && !r->violated ? event_of(m, r) : 0;
		uint64_t *known;

		if (!other)
			continue;
		known = idmap_put(&m->known, rule_tick_id(t->emitters[e->emitter].id,
		    (int64_t)t->emitters[m->past[(other - 1) % PAST].emitter].id));
		if (*known >= other)
			continue;
		*known = other;
		if (other > last) {
			last = other;
			by = r;
		}
	}
	if (by)
		point_at(t, e, last, by);
}

/* Relations become arrows; those of sequences and boots are program order of several sources. */
static void
add_relations(struct model *t, const struct shown *x, struct event *e)
{
	struct memory *m = t->memory;

	m->n_arrows = 0;
	for (size_t i = 0; i < x->n_relations; i++)
		if (x->relations[i].class != CONSTRAINT_CLOCK)
			point_at(t, e, event_of(m, &x->relations[i]), &x->relations[i]);
	if (x->source->fmt->group[FIELD_CLOCK] >= 0 || x->source->fmt->keys[FIELD_CLOCK])
		add_clock_arrows(t, e, x);
	e->n_arrows = m->n_arrows;
	if (t->all)
		point_others(t, e, x);
	e->arrows = m->arrows;
	e->n_constraints = m->n_arrows;
}

/* An emitter that logs the stop of another entity is not stopped itself. */
static bool
stops_itself(const struct rule *r)
{
	return r->kind == RULE_LIFECYCLE && (!r->entity || strcmp(r->entity, "${source}") == 0);
}

static bool
is_stop(struct model *t, const struct source *s, struct span raw)
{
	struct constraints *found = &t->memory->found;
	bool any = false;

	for (size_t i = 0; i < t->rules->n && !any; i++)
		any = stops_itself(&t->rules->v[i]);
	found->n = 0;
	if (any)
		matcher_text_constraints(matcher_for(t, s->fmt), s, raw, found);
	for (size_t i = 0; i < found->n; i++)
		if (found->v[i].what == CONSTRAINT_STOP && stops_itself(&t->rules->v[found->v[i].rule]))
			return true;
	return false;
}

static void
cut_lines(struct event *e)
{
	const char *nl = e->text.n ? memchr(e->text.p, '\n', e->text.n) : NULL;

	for (const char *p = nl; p; p = memchr(p, '\n', (size_t)(e->text.p + e->text.n - p))) {
		e->more++;
		p++;
	}
	if (nl)
		e->text.n = (size_t)(nl - e->text.p);
	while (e->text.n && e->text.p[e->text.n - 1] == '\r')
		e->text.n--;
}

void
model_record(struct model *t, const struct shown *x, const char *p, size_t n, struct event *e)
{
	const struct source *s = x->source;
	struct memory *m = t->memory;
	struct span entry = { p, n };
	struct fields fields;

	while (n && (p[n - 1] == '\n' || p[n - 1] == '\r'))
		n--;
	*e = (struct event){ .serial = m->serial++, .t = x->record->t, .inherited = x->record->inherited,
	    .moved_ns = x->moved_ns, .mark = x->mark, .raw = { p, n }, .line = x->line };
	if (!source_fields(s, p, n, &fields))
		fields = (struct fields){ .v[0].p = NULL };
	e->level = format_level(fields.v[FIELD_LEVEL]);
	e->emitter = find_emitter(t, s, emitter_of(s, &fields, entry, e->raw));
	if (e->serial < PAST && e->serial == m->cap_past) {
		m->cap_past = m->cap_past ? m->cap_past * 2 : 256;
		m->past = xrealloc(m->past, m->cap_past, sizeof *m->past);
	}
	m->past[e->serial % PAST] = (struct past){ e->t, e->emitter };
	m->source = s;
	*idmap_put(&m->places, place_id(s->rank, x->where)) = e->serial + 1;
	/* Last, because what it points to is that of the last match. */
	e->text = text_of(t, s, &fields, e->raw);
	cut_lines(e);
	add_relations(t, x, e);
	e->stop = t->emitters[e->emitter].stopped = is_stop(t, s, e->raw);
}

void
model_marks(const struct event *e, struct buf *out)
{
	/* Less is what the clock of a microsecond rounds. */
	bool moved = e->moved_ns >= 1000;

	if (!e->mark && !moved)
		return;
	buf_printf(out, "[%s%s", e->mark ? e->mark : "", e->mark && moved ? ", " : "");
	if (moved) {
		buf_puts(out, "moved ");
		label_duration(out, e->moved_ns);
	}
	buf_putc(out, ']');
}

const char *
model_class_name(uint8_t class)
{
	return reason_name(NULL, (enum constraint_class)class, UINT16_MAX);
}

void
model_reason(const struct model *t, const struct event *e, const struct arrow *a, struct buf *out)
{
	const char *name = t->emitters[a->emitter].name;

	buf_printf(out, "%s%s%s%s %s ", a->learned ? "learned " : "", model_class_name(a->class), a->rule ? " " : "", a->rule ? a->rule : "",
	    a->back ? "before" : "after");
	label_add(out, name, strlen(name), 24, "...");
	buf_puts(out, ", ");
	label_duration(out, e->t - a->t);
}
