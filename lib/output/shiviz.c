#include <inttypes.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "output/escape.h"
#include "output/label.h"
#include "output/shiviz.h"

/* What an emitter knew of the others from its record FROM on. */
struct knowledge {
	uint64_t from;
	uint64_t *clock;	/* by emitter, N of them; those beyond are 0 */
	unsigned n;
};

struct emitter_clock {
	char *host;			/* its name, which matches \S* and is no other's */
	uint64_t count;			/* records so far */
	struct knowledge *v;		/* a new one where it learnt something */
	size_t n, cap;
};

/* The emitter of an event, and its number among that emitter's events. */
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
	struct buf *last;		/* a ring of N_LAST records that are to be written at the end; NULL: all are at once */
	size_t n_last;
	uint64_t shown;			/* records that went into it */
	bool begun;
};

struct shiviz *
shiviz_new(const struct model *m, unsigned long last)
{
	struct shiviz *s = xcalloc(1, sizeof *s);

	s->model = m;
	s->n_last = last;
	s->last = last ? xcalloc(last, sizeof *s->last) : NULL;
	for (size_t i = 0; i < last; i++)
		s->last[i] = (struct buf)BUF_INIT;
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
		free(s->emitters[i].host);
	}
	for (size_t i = 0; i < s->n_last; i++)
		buf_release(&s->last[i]);
	free(s->last);
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

/* What JavaScript's \\s matches, but for controls, which are not shown as such. */
static bool
is_blank(uint32_t c)
{
	return c == ' ' || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f || c == 0x205f ||
	    c == 0x3000;
}

static bool
is_taken(const struct shiviz *s, unsigned n, const char *host)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(s->emitters[i].host, host) == 0)
			return true;
	return false;
}

/* NAME without blanks; a number is added to it where one of the first N emitters is called so. */
static char *
host_of(const struct shiviz *s, unsigned n, const char *name)
{
	_cleanup_buf_ struct buf plain = BUF_INIT, host = BUF_INIT;
	uint32_t c;
	size_t base;

	label_add(&plain, name, strlen(name), 0, "");
	for (size_t i = 0, used; i < plain.len && (used = utf8_next(plain.s + i, plain.len - i, &c)); i += used)
		if (is_blank(c))
			buf_putc(&host, '_');
		else
			buf_add(&host, plain.s + i, used);
	base = host.len;
	for (unsigned k = 2; is_taken(s, n, host.s); k++) {
		host.len = base;
		buf_printf(&host, "_%u", k);
	}
	return xstrdup(host.s);
}

/* The name of emitter I within a string of JSON. */
static void
put_key(const struct shiviz *s, unsigned i, struct buf *out)
{
	const char *host = s->emitters[i].host;
	size_t n = strlen(host), len;

	buf_reserve(out, ESCAPE_ROOM(n));
	escape_json(out->s + out->len, host, n, &len);
	out->len += len;
	out->s[out->len] = '\0';
}

static void
put_clock(const struct shiviz *s, const struct event *e, uint64_t count, struct buf *out)
{
	const struct knowledge *k = known_at(s, e->emitter, count);

	buf_puts(out, "{\"");
	put_key(s, e->emitter, out);
	buf_printf(out, "\":%" PRIu64, count);
	for (unsigned i = 0; k && i < k->n; i++) {
		if (i == e->emitter || k->clock[i] == 0)
			continue;
		buf_puts(out, ",\"");
		put_key(s, i, out);
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
			s->emitters[s->n] = (struct emitter_clock){ .host = host_of(s, s->n, s->model->emitters[s->n].name) };
	}
	if (serial < MODEL_REMEMBERED && serial >= s->cap) {
		s->cap = s->cap ? s->cap * 2 : 256;
		s->events = xrealloc(s->events, s->cap, sizeof *s->events);
	}
}

/* The head, before all else. */
static void
shiviz_begin(struct shiviz *s, struct buf *out)
{
	if (!s->begun)
		buf_puts(out, "(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)\n\n");
	s->begun = true;
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
	if (s->last) {
		out = &s->last[s->shown++ % s->n_last];
		buf_reset(out);
	} else {
		shiviz_begin(s, out);
	}
	buf_puts(out, s->emitters[e->emitter].host);
	buf_putc(out, ' ');
	put_clock(s, e, count, out);
	buf_putc(out, '\n');
	label_add(out, e->text.p, e->text.n, 0, "");
	buf_putc(out, '\n');
}

void
shiviz_flush(struct shiviz *s, struct buf *out)
{
	uint64_t i = s->shown > s->n_last ? s->shown - s->n_last : 0;

	if (s->shown)
		shiviz_begin(s, out);
	for (; i < s->shown; i++)
		buf_add(out, s->last[i % s->n_last].s, s->last[i % s->n_last].len);
	s->shown = 0;
}
