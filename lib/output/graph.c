#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "output/graph.h"
#include "output/label.h"
#include "output/columns.h"
#include "output/ring.h"

enum {
	WAITING_MAX = 512,	/* rows that wait for each other's lanes */
	LANES_MAX = 32,		/* where the width is no limit */
	NAME_COLUMNS = 14,
	TIME_COLUMNS = 12,	/* 20:16:00.456 */
	TEXT_COLUMNS = 60,	/* that lanes do not take */
	COLOURS = 8,
};

#define GAP_NS	INT64_C(2000000000)	/* no shorter silence is worth a row */

enum sign { LANE, GONE, SILENT, DOT, MOVED, BAD, EAST, WEST, FROM_LEFT, FROM_RIGHT, JOIN, LINE, MISSED, ELLIPSIS };

/* Symbols that the Linux console has, too, but for dots that stand for little. */
static const char *const unicode[] = { "│", "┊", "╎", "●", "○", "■", "►", "◄", "├", "┤", "┼", "─", "×", "…" };
static const char *const ascii[] = { "|", ":", ".", "*", "o", "#", ">", "<", "+", "+", "+", "-", "x", "..." };

struct cell {
	const char *sign;	/* NULL: blank */
	unsigned colour;
};

struct graph {
	struct graph_style style;
	const struct model *model;
	const char *const *signs;
	struct ring waiting;
	unsigned announced;	/* emitters whose lanes are drawn */
	unsigned lanes, step, max;	/* lanes drawn, columns from one to the next, lanes at most */
	unsigned names;		/* columns for those of the emitters */
	bool sharing;		/* the last lane is that of all others */
	bool any;
	int64_t day, last_ns, usual_ns;	/* usual: between two records */
	unsigned *first;	/* the lanes of the emitters that were known at first, N_FIRST of them */
	unsigned n_first;
	struct cell *cells;
	bool *gone;
};

struct graph *
graph_new(const struct graph_style *style, const struct model *t)
{
	struct graph *g = xcalloc(1, sizeof *g);

	g->style = *style;
	g->model = t;
	g->signs = style->ascii ? ascii : unicode;
	ring_init(&g->waiting, style->last ? style->last : WAITING_MAX);
	return g;
}

void
graph_free(struct graph *g)
{
	if (!g)
		return;
	ring_release(&g->waiting);
	free(g->first);
	free(g->cells);
	free(g->gone);
	free(g);
}

static void
colour(const struct graph *g, struct buf *out, const char *sgr)
{
	if (g->style.colour)
		buf_printf(out, "\033[%sm", sgr);
}

/* Calm ones, and none that means something: red is for what is wrong. */
static const char *
lane_colour(unsigned lane)
{
	static const char *const colours[COLOURS] = { "36", "33", "32", "35", "94", "96", "93", "95" };

	return colours[lane % COLOURS];
}

static unsigned
lane_of(const struct graph *g, unsigned emitter)
{
	if (emitter < g->n_first)
		return g->first[emitter];
	return emitter < g->max ? emitter : g->max - 1;
}

static size_t
area_width(const struct graph *g)
{
	return g->lanes ? (g->lanes - 1) * g->step + 1 : 0;
}

/* As wide as the longest name that is known, where there is room for it. */
static unsigned
name_columns(const struct graph *g)
{
	unsigned room = g->style.width, most = room == 0 || room >= 72 ? NAME_COLUMNS : room >= 48 ? room / 5 : 0, n = 0;

	for (unsigned i = 0; i < g->model->n_emitters; i++) {
		const char *name = g->model->emitters[i].name;
		unsigned w = label_width(name, strlen(name));

		n = w > n ? w : n;
	}
	return n < most ? n : most;
}

/* How far apart lanes are, and how many there may be, by what is known now. */
static void
lay_out(struct graph *g)
{
	unsigned known = g->model->n_emitters, room = UINT_MAX, beside;

	g->names = name_columns(g);
	g->max = LANES_MAX;
	g->step = known > 16 ? 3 : 4;
	if (g->style.width) {
		/* The text has what it needs, or half of what is left beside the time and the name. */
		beside = TIME_COLUMNS + 4 + g->names + 2;
		room = g->style.width > beside ? g->style.width - beside : 0;
		room = room / 2 > TEXT_COLUMNS ? room - TEXT_COLUMNS : room / 2;
	}
	while (g->step > 2 && known * g->step > room)
		g->step--;
	if (room / g->step < g->max)
		g->max = room / g->step < 2 ? 2 : room / g->step;
	g->cells = xcalloc(g->max * g->step + 1, sizeof *g->cells);
	g->gone = xcalloc(g->max, sizeof *g->gone);
	if (known <= g->max) {
		g->first = columns_order(&g->waiting, known);
		g->n_first = known;
	}
}

static void
clear(struct graph *g, enum sign lane)
{
	for (size_t i = 0; i < area_width(g); i++)
		g->cells[i] = (struct cell){ NULL, 0 };
	for (unsigned i = 0; i < g->lanes; i++)
		g->cells[i * g->step] = (struct cell){ g->signs[g->gone[i] && lane == LANE ? GONE : lane], i };
}

/* The lanes; their colour is changed where it has to be. */
static void
put_cells(const struct graph *g, struct buf *out)
{
	unsigned now = COLOURS;

	for (size_t i = 0; i < area_width(g); i++) {
		const struct cell *c = &g->cells[i];

		if (c->sign && c->colour % COLOURS != now) {
			now = c->colour % COLOURS;
			colour(g, out, lane_colour(now));
		}
		buf_puts(out, c->sign ? c->sign : " ");
	}
	if (now != COLOURS)
		colour(g, out, "");
}

static void
end_row(struct buf *out)
{
	while (out->len && out->s[out->len - 1] == ' ')
		out->len--;
	buf_putc(out, '\n');
}

static void
put_time(const struct graph *g, struct buf *out, const char *text)
{
	colour(g, out, "2");
	buf_printf(out, "%-*s", TIME_COLUMNS, text);
	colour(g, out, "");
	buf_puts(out, "  ");
}

static int64_t
second_of(int64_t ns)
{
	return ns / 1000000000 - (ns % 1000000000 < 0);
}

static void
date_text(int64_t ns, char text[static 24])
{
	time_t s = second_of(ns);
	struct tm tm;

	if (!gmtime_r(&s, &tm) || strftime(text, 24, "%Y-%m-%d", &tm) == 0)
		strcpy(text, "?");
}

static void
time_text(int64_t ns, char text[static 24])
{
	int64_t s = second_of(ns), day = s / 86400 - (s % 86400 < 0), in_day = s - day * 86400;

	snprintf(text, 24, "%02d:%02d:%02d.%03d", (int)(in_day / 3600), (int)(in_day / 60 % 60), (int)(in_day % 60),
	    (int)((ns - s * 1000000000) / 1000000));
}

/* As many columns as are left of a row that has used USED. */
static unsigned
columns_left(const struct graph *g, size_t used)
{
	if (!g->style.width)
		return UINT_MAX;
	return used < g->style.width ? g->style.width - (unsigned)used : 0;
}

/* TEXT in as many columns as are *LEFT, of which it takes its part. */
static void
put_part(const struct graph *g, const char *sgr, struct span text, unsigned *left, struct buf *out)
{
	if (text.n == 0 || *left == 0)
		return;
	if (*sgr)
		colour(g, out, sgr);
	*left -= label_add(out, text.p, text.n, *left, g->signs[ELLIPSIS]);
	if (*sgr)
		colour(g, out, "");
}

/* A row that begins a lane: the lanes before it, and its name where it will be. */
static void
announce(struct graph *g, unsigned lane, const char *name, const char *when, struct buf *out)
{
	size_t used = TIME_COLUMNS + 2 + lane * g->step;
	unsigned lanes = g->lanes, left;

	put_time(g, out, when);
	g->lanes = lane;
	clear(g, LANE);
	put_cells(g, out);
	for (size_t i = area_width(g); i < lane * g->step; i++)
		buf_putc(out, ' ');
	left = columns_left(g, used);
	put_part(g, lane_colour(lane), (struct span){ name, strlen(name) }, &left, out);
	end_row(out);
	g->lanes = lanes > lane ? lanes : lane + 1;
}

/* The emitter of LANE. */
static unsigned
emitter_at(const struct graph *g, unsigned lane)
{
	unsigned i = 0;

	while (i + 1 < g->n_first && g->first[i] != lane)
		i++;
	return i;
}

static void
announce_all(struct graph *g, const struct event *first, struct buf *out)
{
	char when[24] = "";

	if (!g->cells) {
		lay_out(g);
		if (!first->inherited)
			date_text(first->t, when);
		g->day = second_of(first->t) / 86400;
	}
	for (; g->announced < g->n_first; g->announced++) {
		announce(g, g->announced, g->model->emitters[emitter_at(g, g->announced)].name, when, out);
		*when = '\0';
	}
	for (; g->announced < g->model->n_emitters; g->announced++) {
		unsigned lane = lane_of(g, g->announced);
		bool shared = g->model->n_emitters > g->max && lane == g->max - 1;

		if (shared && !g->sharing)
			announce(g, lane, "others: more than there are columns for", when, out);
		else if (!shared)
			announce(g, lane, g->model->emitters[g->announced].name, when, out);
		g->sharing |= shared;
		*when = '\0';
		g->names = name_columns(g);
	}
}

/* A line on E's row from the lane FROM to that of E; lanes between them pass over it. */
static void
draw_arrow(struct graph *g, const struct event *e, const struct arrow *a)
{
	unsigned to = lane_of(g, e->emitter), from = lane_of(g, a->emitter);
	unsigned tint = a->back ? to : from;
	size_t lo = (to < from ? to : from) * g->step, hi = (to < from ? from : to) * g->step;
	struct cell *head = &g->cells[to < from ? to * g->step + 1 : to * g->step - 1], *tail = &g->cells[from * g->step];

	if (to == from)
		return;
	for (size_t i = lo + 1; i < hi; i++)
		if (i % g->step)
			g->cells[i] = g->cells[i].sign ? g->cells[i] : (struct cell){ g->signs[LINE], tint };
	/* What should have come before has no head, but a cross where it should have gone. */
	if (a->back) {
		*tail = (struct cell){ g->signs[MISSED], tint };
		return;
	}
	head->sign = g->signs[to < from ? WEST : EAST];
	*tail = (struct cell){ g->signs[from < to ? FROM_LEFT : FROM_RIGHT], tint };
}

/* Where a line from further out goes through a tail, it becomes a cross. */
static void
join_tails(struct graph *g, const struct event *e)
{
	for (size_t i = 0; i < e->n_arrows; i++) {
		size_t at = lane_of(g, e->arrows[i].emitter) * g->step;
		const char *left = at ? g->cells[at - 1].sign : NULL, *right = at + 1 < area_width(g) ? g->cells[at + 1].sign : NULL;

		if (left && right && !e->arrows[i].back)
			g->cells[at].sign = g->signs[JOIN];
	}
}

static void
reason_text(const struct graph *g, const struct event *e, struct buf *out)
{
	for (size_t i = 0; g->style.explain && i < e->n_arrows; i++) {
		buf_putc(out, '(');
		model_reason(g->model, e, &e->arrows[i], out);
		buf_puts(out, ") ");
	}
}

/* The emitter's name and the text of the event. */
static void
put_text(const struct graph *g, const struct event *e, size_t used, struct buf *out)
{
	_cleanup_buf_ struct buf marks = BUF_INIT, reasons = BUF_INIT, more = BUF_INIT;
	const char *name = g->model->emitters[e->emitter].name;
	bool wrong = e->mark && (strcmp(e->mark, "late") == 0 || strcmp(e->mark, "cycle") == 0);
	unsigned left = columns_left(g, used), mine = left < g->names + 2 ? 0 : g->names, tail;

	if (mine) {
		left -= mine + 2;
		put_part(g, lane_colour(lane_of(g, e->emitter)), (struct span){ name, strlen(name) }, &mine, out);
		buf_printf(out, "%*s", (int)mine + 2, "");
	}
	model_marks(e, &marks);
	if (marks.len)
		buf_putc(&marks, ' ');
	reason_text(g, e, &reasons);
	if (e->more)
		buf_printf(&more, " (+%u lines)", e->more);
	put_part(g, wrong ? "1;31" : "33", (struct span){ marks.s, marks.len }, &left, out);
	put_part(g, "2", (struct span){ reasons.s, reasons.len }, &left, out);
	tail = more.len < left / 2 ? (unsigned)more.len : 0;
	left -= tail;
	put_part(g, e->level >= 0 && e->level <= 3 ? "31" : "", e->text, &left, out);
	put_part(g, "2", (struct span){ more.s, tail }, &tail, out);
}

/* Rows that say that time went by: a day, or a silence much longer than usual. */
static void
put_silence(struct graph *g, const struct event *e, struct buf *out)
{
	int64_t gap = e->t - g->last_ns, day = second_of(e->t) / 86400;
	bool long_ago = g->any && gap >= GAP_NS && gap / 10 >= g->usual_ns;
	char when[24] = "";

	if (g->any && day > g->day)
		date_text(e->t, when);
	if (*when || long_ago) {
		put_time(g, out, when);
		clear(g, SILENT);
		put_cells(g, out);
		buf_puts(out, "  ");
		colour(g, out, "2");
		if (long_ago && columns_left(g, TIME_COLUMNS + 4 + area_width(g)) > 14)
			label_duration(out, gap);
		colour(g, out, "");
		end_row(out);
	}
	if (!g->any || e->t > g->last_ns) {
		if (g->any && !long_ago)
			g->usual_ns += (gap - g->usual_ns) / 8;
		g->last_ns = e->t;
	}
	g->any = true;
	if (day > g->day)
		g->day = day;
}

static void
put_row(struct graph *g, const struct event *e, struct buf *out)
{
	unsigned lane = lane_of(g, e->emitter);
	char when[24] = "";

	put_silence(g, e, out);
	if (!e->inherited)
		time_text(e->t, when);
	put_time(g, out, when);
	g->gone[lane] = false;
	clear(g, LANE);
	for (size_t i = 0; i < e->n_arrows; i++)
		draw_arrow(g, e, &e->arrows[i]);
	join_tails(g, e);
	g->cells[lane * g->step] = (struct cell){ g->signs[e->level >= 0 && e->level <= 3 ? BAD :
	    e->moved_ns >= 1000 ? MOVED : DOT], lane };
	put_cells(g, out);
	buf_puts(out, "  ");
	put_text(g, e, TIME_COLUMNS + 4 + area_width(g), out);
	end_row(out);
	/* A lane that many share is never gone. */
	g->gone[lane] = e->stop && !(g->sharing && lane == g->max - 1);
}

void
graph_flush(struct graph *g, struct buf *out)
{
	if (g->waiting.n == 0)
		return;
	announce_all(g, ring_get(&g->waiting, 0), out);
	for (size_t i = 0; i < g->waiting.n; i++)
		put_row(g, ring_get(&g->waiting, i), out);
	ring_clear(&g->waiting);
}

void
graph_event(struct graph *g, const struct event *e, struct buf *out)
{
	ring_add(&g->waiting, e);
	if (!g->style.last && g->waiting.n == WAITING_MAX)
		graph_flush(g, out);
}
