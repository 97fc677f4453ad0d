#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "record/matcher.h"
#include "record/prefilter.h"
#include "record/pattern.h"
#include "record/trace.h"

/* The search for one pattern. */
struct search {
	const struct pattern *pattern;
	struct regex *regex;	/* the pattern's, shared; NULL where it is not needed */
	int64_t clear;		/* what the pattern begins with is nowhere before this offset */
	bool there;		/* but here */
};

struct watched {
	const struct rule *rule;
	uint16_t index;
	struct search send, recv;
	struct search more;		/* a stream's open, or a lifecycle's belongs; its pattern is NULL for none */
};

struct matcher {
	struct watched *v;
	size_t n;
	int64_t last;		/* offset of the last record */
};

static void
search_init(struct search *l, const struct rule *r, const struct pattern *x)
{
	l->pattern = x;
	if (x && (!x->simple || r->kind != RULE_MESSAGE || r->match == MATCH_STREAM))
		l->regex = regex_share(x->regex);
}

struct matcher *
matcher_new(const struct rules *rs, const bool *used)
{
	struct matcher *f = xcalloc(1, sizeof *f);

	f->v = xcalloc(rs->n + 1, sizeof *f->v);
	for (size_t i = 0; i < rs->n; i++) {
		struct watched *w = &f->v[f->n];

		if (!used[i])
			continue;
		w->rule = &rs->v[i];
		w->index = (uint16_t)i;
		search_init(&w->send, w->rule, w->rule->send);
		search_init(&w->recv, w->rule, w->rule->recv);
		search_init(&w->more, w->rule, w->rule->open ? w->rule->open : w->rule->belongs);
		f->n++;
	}
	return f;
}

void
matcher_free(struct matcher *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		regex_free(f->v[i].send.regex);
		regex_free(f->v[i].recv.regex);
		regex_free(f->v[i].more.regex);
	}
	free(f->v);
	free(f);
}

/* Look for what L's pattern begins with, from the place that is CLEAR on: where in TEXT, the record at OFF, it is. */
static const char *
search_on(struct search *l, const struct source *s, int64_t off, struct span text)
{
	const struct pattern *x = l->pattern;
	const char *from = text.p + (l->clear - off), *end = s->buf + s->hi, *hit;

	/* A record that was put together elsewhere ends where it ends. */
	if (text.p < s->buf || text.p >= end)
		end = text.p + text.n;
	hit = prefilter_find(from, (size_t)(end - from), x->before, x->before_len);
	l->there = hit != NULL;
	l->clear = off + ((hit ? hit : end - x->before_len + 1) - text.p);
	return hit && hit + x->before_len <= text.p + text.n ? hit : NULL;
}

static inline bool
matches(struct search *l, const struct source *s, int64_t off, struct span text, struct span *id)
{
	const char *hint = NULL;

	if (l->pattern->before) {
		if (l->clear < off) {
			l->clear = off;
			l->there = false;
		}
		if (l->clear + (int64_t)l->pattern->before_len > off + (int64_t)text.n)
			return false;
		hint = l->there ? text.p + (l->clear - off) : search_on(l, s, off, text);
		if (!hint)
			return false;
	}
	return pattern_match(l->pattern, l->regex, text, hint, id);
}

/* The entity of a lifecycle: its template, with what the last match of L found. */
static uint64_t
entity_of(const struct watched *w, const struct search *l, const struct source *s, struct span text)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	const char *t = w->rule->entity ? w->rule->entity : "${source}", *open, *close;

	while ((open = strstr(t, "${")) && (close = strchr(open, '}'))) {
		_cleanup_free_ char *name = xstrndup(open + 2, (size_t)(close - open - 2));
		struct span v;

		buf_add(&b, t, (size_t)(open - t));
		t = close + 1;
		if (strcmp(name, "source") == 0) {
			buf_puts(&b, s->name);
			continue;
		}
		v = regex_span(l->regex, regex_group(l->regex, name), text.p);
		buf_add(&b, v.p ? v.p : "", v.n);
	}
	buf_puts(&b, t);
	return hash_bytes(w->index, b.s, b.len);
}

static void
lifecycle_edges(struct watched *w, const struct source *s, int64_t off, struct span text, struct constraints *out)
{
	static const enum constraint_kind what[] = { CONSTRAINT_STOP, CONSTRAINT_START, CONSTRAINT_BELONGS };
	struct search *l[] = { &w->send, &w->recv, &w->more };
	struct span id;

	for (int k = 0; k < 3; k++) {
		struct constraint *e;

		if (!l[k]->pattern || !matches(l[k], s, off, text, &id))
			continue;
		if (l[k]->pattern->simple)	/* the groups of its entity are wanted */
			regex_match(l[k]->regex, text.p, text.n);
		e = constraints_add(out, what[k], CONSTRAINT_LIFECYCLE, entity_of(w, l[k], s, text));
		e->started = w->rule->started;
		e->n = w->rule->within_ns;
		e->rule = w->index;
		return;
	}
}

/* The id that the end of a span sends. */
static uint64_t
end_of(const struct watched *w, struct span id)
{
	return hash_bytes(UINT64_C(1) << 32 | w->index, id.p, id.n);
}

static void
span_add(struct constraints *out, enum constraint_kind what, const struct watched *w, uint64_t id, uint64_t n)
{
	struct constraint *e = constraints_add(out, what, CONSTRAINT_SPAN, id);

	e->rule = w->index;
	e->n = (int64_t)n;
}

static void
span_edges(struct watched *w, const struct source *s, int64_t off, struct span text, struct constraints *out)
{
	struct search *l = &w->recv;
	struct span id, parent;

	if (matches(l, s, off, text, &id)) {
		parent = regex_span(l->regex, l->pattern->parent, text.p);
		if (id.p)
			span_add(out, CONSTRAINT_SEND, w, hash_bytes(w->index, id.p, id.n), 0);
		if (parent.n)
			span_add(out, CONSTRAINT_NEED, w, hash_bytes(w->index, parent.p, parent.n), 0);
		if (parent.n && id.n && w->rule->send)
			span_add(out, CONSTRAINT_CHILD, w, hash_bytes(w->index, parent.p, parent.n), end_of(w, id));
	} else if (w->rule->send && matches(&w->send, s, off, text, &id) && id.n) {
		span_add(out, CONSTRAINT_SEND, w, end_of(w, id), 0);
		span_add(out, CONSTRAINT_END, w, hash_bytes(w->index, id.p, id.n), 0);
	}
}

/* The id of a message that L has matched, which its pattern found as FOUND unless a member of TEXT is it. */
static struct span
message_id(const struct watched *w, struct span text, struct span found)
{
	if (w->rule->id_path && !format_member((struct span){ text.p, text.n }, w->rule->id_path, &found))
		return (struct span){ NULL, 0 };
	return found;
}

static struct constraint *
message_add(struct constraints *out, enum constraint_kind what, const struct watched *w, struct span id)
{
	struct constraint *e = constraints_add(out, what, CONSTRAINT_MESSAGE, hash_bytes(w->index, id.p, id.n));

	e->rule = w->index;
	e->soft = w->rule->learned && (what == CONSTRAINT_NEED || what == CONSTRAINT_NTH_RECV);
	e->n = w->rule->match == MATCH_FIRST ? 0 : w->rule->within_ns;
	return e;
}

/* The number in group GROUP of the last match of L in TEXT; -1 where there is none. */
static int64_t
group_number(const struct search *l, int group, struct span text)
{
	struct span v = group < 0 ? (struct span){ NULL, 0 } : regex_span(l->regex, group, text.p);

	return v.p && v.n && v.n <= 16 ? time_digits(v.p, (unsigned)v.n) : -1;
}

static void
stream_add(struct constraints *out, enum constraint_kind what, const struct watched *w, const struct search *l,
    struct span text, struct span id)
{
	int64_t len, from;
	struct constraint *e;

	if (l->pattern->simple)		/* other groups than the id are wanted */
		regex_match(l->regex, text.p, text.n);
	len = group_number(l, l->pattern->len, text);
	from = l->pattern->from < 0 ? 0 : group_number(l, l->pattern->from, text);
	if (len <= 0 || from < 0)
		return;
	e = message_add(out, what, w, id);
	e->n = from + len;
	e->absolute = l->pattern->from >= 0;
}

static void
message_edges(struct watched *w, const struct source *s, int64_t off, struct span text, struct constraints *out)
{
	static const enum constraint_kind kinds[][2] = {
		[MATCH_FIRST] = { CONSTRAINT_SEND, CONSTRAINT_NEED },
		[MATCH_NTH] = { CONSTRAINT_NTH_SEND, CONSTRAINT_NTH_RECV },
		[MATCH_STREAM] = { CONSTRAINT_STREAM_SEND, CONSTRAINT_STREAM_RECV },
	};
	struct search *l[] = { &w->send, &w->recv };
	struct span id;

	if (w->more.pattern && matches(&w->more, s, off, text, &id) && (id = message_id(w, text, id)).n)
		message_add(out, CONSTRAINT_STREAM_OPEN, w, id);
	for (int k = 0; k < 2; k++) {
		if (!matches(l[k], s, off, text, &id) || !(id = message_id(w, text, id)).n)
			continue;
		if (w->rule->match == MATCH_STREAM)
			stream_add(out, kinds[MATCH_STREAM][k], w, l[k], text, id);
		else
			message_add(out, kinds[w->rule->match][k], w, id);
	}
}

static void
find_constraints(struct matcher *f, const struct source *s, int64_t off, struct span text, struct constraints *out)
{
	for (size_t i = 0; i < f->n; i++) {
		struct watched *w = &f->v[i];

		if (w->rule->kind == RULE_LIFECYCLE) {
			lifecycle_edges(w, s, off, text, out);
		} else if (w->rule->kind == RULE_SPAN) {
			span_edges(w, s, off, text, out);
		} else if (w->rule->kind == RULE_TRACE) {
			trace_constraints(s->fmt, text, w->index, s->trace_ends, out);
		} else {
			message_edges(w, s, off, text, out);
		}
	}
}

/* What was seen does not count for what is read next. */
void
matcher_reset(struct matcher *f)
{
	for (size_t i = 0; i < f->n; i++)
		f->v[i].send.clear = f->v[i].recv.clear = f->v[i].more.clear = -1;
}

void
matcher_constraints(struct matcher *f, const struct source *s, const struct record *r, struct constraints *out)
{
	/* What is behind us may be read again, and be something else then. */
	if (r->off < f->last)
		matcher_reset(f);
	f->last = r->off;
	find_constraints(f, s, r->off, record_text(r), out);
}

void
matcher_text_constraints(struct matcher *f, const struct source *s, struct span text, struct constraints *out)
{
	matcher_reset(f);
	find_constraints(f, s, 0, text, out);
}

/* Is it the text of ID, be it of a beginning or an end? */
static bool
is_of(const struct watched *w, struct span text, uint64_t id)
{
	return text.n && (hash_bytes(w->index, text.p, text.n) == id || end_of(w, text) == id);
}

struct span
matcher_id(struct matcher *f, const struct source *s, struct span text, unsigned rule, uint64_t id)
{
	struct span found;

	matcher_reset(f);
	for (size_t i = 0; i < f->n; i++) {
		struct watched *w = &f->v[i];

		if (w->index != rule || w->rule->kind == RULE_LIFECYCLE)
			continue;
		if (w->rule->kind == RULE_TRACE)
			return trace_id_text(s->fmt, text, w->index, id);
		if (w->rule->id_path && is_of(w, message_id(w, text, (struct span){ NULL, 0 }), id))
			return message_id(w, text, (struct span){ NULL, 0 });
		if (matches(&w->recv, s, 0, text, &found)) {
			if (is_of(w, found, id))
				return found;
			found = w->recv.regex ? regex_span(w->recv.regex, w->recv.pattern->parent, text.p) : found;
			if (is_of(w, found, id))
				return found;
		}
		if (w->send.pattern && matches(&w->send, s, 0, text, &found) && is_of(w, found, id))
			return found;
	}
	return (struct span){ NULL, 0 };
}
