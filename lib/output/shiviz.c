#include <inttypes.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "output/escape.h"
#include "output/label.h"
#include "output/shiviz.h"

enum { NAME_BYTES = 256 };

/* What an emitter knew of the others from its record FROM on. */
struct knowledge {
	uint64_t from;
	uint64_t *clock;	/* by emitter, N of them; those beyond are 0 */
	unsigned n;
};

struct emitter_clock {
	uint64_t count;			/* records so far */
	struct knowledge *v;		/* a new one where it learnt something */
	size_t n, cap;
};

/* Whose record an event was, and which of them. */
struct stamped {
	unsigned emitter;
	uint64_t count;
};

struct shiviz {
	const struct model *model;
	struct emitter_clock *emitters;
	unsigned n;
	struct stamped *events;		/* the last MODEL_REMEMBERED, by serial */
	size_t cap;
	bool begun;
};

struct shiviz *
shiviz_new(const struct model *m)
{
	struct shiviz *s = xcalloc(1, sizeof *s);

	s->model = m;
	return s;
}

void
shiviz_free(struct shiviz *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		for (size_t k = 0; k < s->emitters[i].n; k++)
			free(s->emitters[i].v[k].clock);
		free(s->emitters[i].v);
	}
	free(s->emitters);
	free(s->events);
	free(s);
}

/* What emitter E knew when it wrote its record COUNT; NULL for nothing. */
static const struct knowledge *
known_at(const struct shiviz *s, unsigned e, uint64_t count)
{
	const struct emitter_clock *c = &s->emitters[e];
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->v[mid].from <= count)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &c->v[lo - 1] : NULL;
}

/* Knowledge to be added to, that emitter E has from its record COUNT on. */
static struct knowledge *
learn(struct shiviz *s, unsigned e, uint64_t count)
{
	struct emitter_clock *c = &s->emitters[e];
	const struct knowledge *last = c->n ? &c->v[c->n - 1] : NULL;
	struct knowledge *k;

	if (last && last->from == count)
		return &c->v[c->n - 1];
	c->v = xgrow(c->v, c->n, &c->cap, sizeof *c->v);
	k = &c->v[c->n];
	*k = (struct knowledge){ .from = count, .clock = xcalloc(s->n, sizeof *k->clock), .n = s->n };
	if (c->n)
		memcpy(k->clock, c->v[c->n - 1].clock, c->v[c->n - 1].n * sizeof *k->clock);
	c->n++;
	return k;
}

static void
raise_to(struct knowledge *k, unsigned emitter, uint64_t count)
{
	if (k->clock[emitter] < count)
		k->clock[emitter] = count;
}

/* Emitter E's record COUNT follows the event FROM, and all that this one followed. */
static void
follow_event(struct shiviz *s, unsigned e, uint64_t count, const struct arrow *a)
{
	const struct stamped *from = &s->events[a->from % MODEL_REMEMBERED];
	const struct knowledge *theirs = known_at(s, from->emitter, from->count);
	struct knowledge *mine = learn(s, e, count);

	raise_to(mine, from->emitter, from->count);
	for (unsigned i = 0; theirs && i < theirs->n; i++)
		if (i != e)
			raise_to(mine, i, theirs->clock[i]);
}

static void
put_name(struct buf *out, const char *name, bool json)
{
	_cleanup_buf_ struct buf plain = BUF_INIT;
	char text[ESCAPE_ROOM(NAME_BYTES)];
	size_t n;

	label_add(&plain, name, strlen(name), 0, "");
	for (char *p = plain.s; *p; p++)
		if (*p == ' ')
			*p = '_';
	if (!json) {
		buf_add(out, plain.s, plain.len);
		return;
	}
	escape_json(text, plain.s, plain.len < NAME_BYTES ? plain.len : NAME_BYTES, &n);
	buf_add(out, text, n);
}

static void
put_clock(const struct shiviz *s, const struct event *e, uint64_t count, struct buf *out)
{
	const struct knowledge *k = known_at(s, e->emitter, count);

	buf_puts(out, "{\"");
	put_name(out, s->model->emitters[e->emitter].name, true);
	buf_printf(out, "\":%" PRIu64, count);
	for (unsigned i = 0; k && i < k->n; i++) {
		if (i == e->emitter || k->clock[i] == 0)
			continue;
		buf_puts(out, ",\"");
		put_name(out, s->model->emitters[i].name, true);
		buf_printf(out, "\":%" PRIu64, k->clock[i]);
	}
	buf_putc(out, '}');
}

static void
make_room(struct shiviz *s, uint64_t serial)
{
	if (s->n < s->model->n_emitters) {
		s->emitters = xrealloc(s->emitters, s->model->n_emitters, sizeof *s->emitters);
		for (; s->n < s->model->n_emitters; s->n++)
			s->emitters[s->n] = (struct emitter_clock){ .count = 0 };
	}
	if (serial < MODEL_REMEMBERED && serial >= s->cap) {
		s->cap = s->cap ? s->cap * 2 : 256;
		s->events = xrealloc(s->events, s->cap, sizeof *s->events);
	}
}

void
shiviz_event(struct shiviz *s, const struct event *e, struct buf *out)
{
	uint64_t count;

	make_room(s, e->serial);
	count = ++s->emitters[e->emitter].count;
	s->events[e->serial % MODEL_REMEMBERED] = (struct stamped){ e->emitter, count };
	for (size_t i = 0; i < e->n_arrows; i++)
		if (!e->arrows[i].back)
			follow_event(s, e->emitter, count, &e->arrows[i]);
	if (!s->begun)
		buf_puts(out, "(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)\n\n");
	s->begun = true;
	put_name(out, s->model->emitters[e->emitter].name, false);
	buf_putc(out, ' ');
	put_clock(s, e, count, out);
	buf_putc(out, '\n');
	label_add(out, e->text.p, e->text.n, 0, "");
	buf_putc(out, '\n');
}
