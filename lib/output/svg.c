#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "output/label.h"
#include "output/columns.h"
#include "output/stylesheet.h"
#include "output/ring.h"
#include "output/svg.h"

enum {
	LANES_MAX = 48,		/* the last one is then that of all others */
	MARGIN = 28,
	ROW = 22,		/* from one record to the next, where no time is between them */
	FAR = 54,		/* and so much more at most */
	BREAK = 40,		/* where the lines are broken */
	STRIP = 34,		/* where the names of the lanes are said again */
	STRIP_ROWS = 50,
	NAME_COLUMNS = 20,
	TEXT_COLUMNS = 120,
	LANES_WIDTH = 900,	/* with wider lanes the text is too far from its dot */
	RADIUS = 5,
};

#define CHAR_WIDTH	7.25	/* of the monospaced fonts that browsers have, at 12 px */

struct svg {
	struct ring ring;
	const struct model *model;
	bool bounded;		/* the limit is ours, not the user's */
};

struct svg_place {
	double y;
	double gap_y;		/* of the break before it, 0 for none */
	double strip_y;		/* of the names before it, 0 for none */
	int64_t gap_ns;
	int64_t day;
};

/* Where everything stands. */
struct svg_plan {
	const struct svg *svg;
	const struct ring *ring;
	struct svg_place *rows;
	unsigned *lane;		/* by emitter, plus 1; 0: not in the picture */
	unsigned *emitter;	/* by lane */
	unsigned lanes, emitters;
	bool sharing, slanted;
	unsigned digits;	/* of a second */
	struct buf note;	/* what is not in it */
	double x0, step, name_x, text_x, head_y, top, bottom, width, height;
};

struct svg *
svg_new(const struct svg_style *style, const struct model *t)
{
	struct svg *s = xcalloc(1, sizeof *s);

	s->bounded = style->last == 0 || style->last > SVG_RECORDS;
	ring_init(&s->ring, s->bounded ? SVG_RECORDS : style->last);
	s->model = t;
	return s;
}

void
svg_free(struct svg *s)
{
	if (!s)
		return;
	ring_release(&s->ring);
	free(s);
}

void
svg_event(struct svg *s, const struct event *e)
{
	ring_add(&s->ring, e);
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* What usually is between two records, in ns. */
static double
usual_gap(const struct ring *ring)
{
	_cleanup_free_ int64_t *gaps = xcalloc(ring->n + 1, sizeof *gaps);
	size_t n = 0;

	for (size_t i = 1; i < ring->n; i++) {
		int64_t gap = ring_get(ring, i)->t - ring_get(ring, i - 1)->t;

		if (gap > 0)
			gaps[n++] = gap;
	}
	qsort(gaps, n, sizeof *gaps, compare);
	return n ? (double)gaps[n / 2] : 1e9;
}

static int64_t
day_of(int64_t ns)
{
	int64_t s = ns / 1000000000 - (ns % 1000000000 < 0);

	return s / 86400 - (s % 86400 < 0);
}

static void
plan_rows(struct svg_plan *p)
{
	double usual = usual_gap(p->ring), y = p->top;
	int64_t last = 0;

	for (size_t i = 0; i < p->ring->n; i++) {
		const struct event *e = ring_get(p->ring, i);
		struct svg_place *w = &p->rows[i];
		double gap = i ? (double)e->t - (double)last : 0;

		if (i)
			y += ROW;
		if (i && i % STRIP_ROWS == 0) {
			w->strip_y = y;
			y += STRIP;
		}
		w->day = day_of(e->t > last || i == 0 ? e->t : last);
		if (i && ((gap > 50 * usual && gap > 1e8) || w->day > p->rows[i - 1].day)) {
			w->gap_y = y - 2;
			w->gap_ns = e->t - last;
			y += BREAK;
		} else if (gap > 0) {
			y += fmin(9 * log2(1 + gap / usual), FAR);
		}
		w->y = y;
		if (i == 0 || e->t > last)
			last = e->t;
	}
	p->bottom = y + ROW;
}

/* Each emitter has a lane: put them so that it is easy to follow the arrows. */
static void
sort_lanes(struct svg_plan *p)
{
	unsigned n = p->svg->model->n_emitters, next = 0;
	_cleanup_free_ unsigned *order = n <= 4 * LANES_MAX ? columns_order(p->ring, n) : NULL, *at = xcalloc(n + 1, sizeof *at);

	for (unsigned e = 0; e < n && order; e++)
		at[order[e]] = e;
	/* Emitters that are not in the picture have no lane. */
	for (unsigned i = 0; i < n && order; i++) {
		if (!p->lane[at[i]])
			continue;
		p->emitter[next] = at[i];
		p->lane[at[i]] = ++next;
	}
}

/* A lane for each emitter in the order of appearance, as long as there is room. */
static void
plan_lanes(struct svg_plan *p)
{
	p->lane = xcalloc(p->svg->model->n_emitters + 1, sizeof *p->lane);
	p->emitter = xcalloc(LANES_MAX, sizeof *p->emitter);
	for (size_t i = 0; i < p->ring->n; i++) {
		unsigned *lane = &p->lane[ring_get(p->ring, i)->emitter];

		if (*lane)
			continue;
		p->emitters++;
		if (p->lanes == LANES_MAX) {
			p->sharing = true;
			*lane = LANES_MAX;
			continue;
		}
		p->emitter[p->lanes] = ring_get(p->ring, i)->emitter;
		*lane = ++p->lanes;
	}
	if (!p->sharing)
		sort_lanes(p);
}

static const char *
name_of(const struct svg_plan *p, unsigned lane)
{
	return p->sharing && lane == LANES_MAX - 1 ? "others" : p->svg->model->emitters[p->emitter[lane]].name;
}

static double
columns(const char *text, unsigned most)
{
	unsigned n = label_width(text, strlen(text));

	return n > most ? most : n;
}

static void
plan_columns(struct svg_plan *p)
{
	double name = 4, text = 20;
	int64_t part = 0;

	for (unsigned i = 0; i < p->lanes; i++)
		name = fmax(name, columns(name_of(p, i), NAME_COLUMNS));
	for (size_t i = 0; i < p->ring->n; i++) {
		const struct event *e = ring_get(p->ring, i);
		_cleanup_buf_ struct buf marks = BUF_INIT;

		model_marks(e, &marks);
		text = fmax(text, fmin(label_width(e->text.p, e->text.n), TEXT_COLUMNS) + (double)marks.len + (e->more ? 12 : 1));
		part |= e->t % 1000000 ? 1 : e->t % 1000000000 ? 2 : 0;
	}
	p->digits = part & 1 ? 6 : part & 2 ? 3 : 0;
	p->step = fmin(fmax(name * CHAR_WIDTH + 30, 72), 160);
	if (p->lanes * p->step > LANES_WIDTH) {
		p->slanted = true;
		p->step = fmax(LANES_WIDTH / (double)p->lanes, 20);
	}
	p->x0 = MARGIN + (8 + (p->digits ? p->digits + 1 : 0)) * CHAR_WIDTH + 24 + (p->slanted ? 8 : p->step / 2);
	p->name_x = p->x0 + (p->lanes ? p->lanes - 1 : 0) * p->step + (p->slanted ? 36 : fmax(p->step / 2, 36));
	p->text_x = p->name_x + name * CHAR_WIDTH + 18;
	p->width = ceil(p->text_x + text * CHAR_WIDTH + MARGIN);
	p->width = fmax(p->width, p->slanted ? p->name_x + name * 6 : 0);
	p->head_y = (p->note.len ? 124 : 84) + (p->slanted ? name * CHAR_WIDTH * 0.66 : 0);
	p->top = p->head_y + 34;
}

static double
lane_x(const struct svg_plan *p, unsigned emitter)
{
	return p->x0 + (p->lane[emitter] - 1) * p->step;
}

static unsigned
tint(const struct svg_plan *p, unsigned emitter)
{
	return (p->lane[emitter] - 1) % STYLESHEET_COLOURS;
}

static void
put_escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			buf_puts(out, "&amp;");
		else if (*s == '<')
			buf_puts(out, "&lt;");
		else if (*s == '>')
			buf_puts(out, "&gt;");
		else if (*s == '"')
			buf_puts(out, "&quot;");
		else
			buf_putc(out, *s);
	}
}

/* The N bytes of P, in MOST columns, as XML. */
static void
put_xml(struct buf *out, const char *p, size_t n, unsigned most)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	label_add(&text, p, n, most, "…");
	put_escaped(out, text.s);
}

/* The name of a lane, in MOST columns: both its ends tell it from others. */
static void
put_name(struct buf *out, const char *name, unsigned most)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	label_add_middle(&text, name, strlen(name), most, "…");
	put_escaped(out, text.s);
}

/* The same of several lines. */
static void
put_lines(struct buf *out, struct span text)
{
	while (text.n) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl ? (size_t)(nl - text.p) : text.n;

		put_xml(out, text.p, n, 0);
		if (nl)
			buf_putc(out, '\n');
		text.p += n + (nl != NULL);
		text.n -= n + (nl != NULL);
	}
}

static void
put_moment(struct buf *out, int64_t ns, bool with_day, unsigned digits)
{
	int64_t whole = ns / 1000000000 - (ns % 1000000000 < 0), part = ns - whole * 1000000000;
	time_t s = whole;
	char text[64];
	struct tm tm;

	if (!gmtime_r(&s, &tm))
		return;
	if (with_day && strftime(text, sizeof text, "%Y-%m-%d  ", &tm))
		buf_puts(out, text);
	if (strftime(text, sizeof text, "%H:%M:%S", &tm))
		buf_puts(out, text);
	if (digits)
		buf_printf(out, ".%0*d", (int)digits, (int)(digits == 3 ? part / 1000000 : part / 1000));
}

/* Columns of a lane's name, so that it does not reach into the next one. */
static unsigned
name_room(const struct svg_plan *p)
{
	unsigned room = p->slanted ? NAME_COLUMNS : (unsigned)((p->step - 22) / CHAR_WIDTH);

	return room < NAME_COLUMNS ? room : NAME_COLUMNS;
}

/* The names of the lanes, around Y. */
static void
put_names(const struct svg_plan *p, double y, struct buf *out)
{
	for (unsigned i = 0; i < p->lanes; i++) {
		double x = p->x0 + i * p->step, w = columns(name_of(p, i), name_room(p)) * CHAR_WIDTH + 18;
		unsigned c = i % STYLESHEET_COLOURS;

		if (p->slanted) {
			buf_printf(out, "<text class=\"na f%u\" transform=\"translate(%.1f %.1f) rotate(-40)\">", c, x + 3, y);
		} else {
			buf_printf(out, "<rect class=\"st\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"22\" rx=\"11\"/>"
			    "<rect class=\"pi f%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"22\" rx=\"11\"/>"
			    "<text class=\"na f%u\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">", x - w / 2, y - 15, w, c,
			    x - w / 2, y - 15, w, c, x, y);
		}
		put_name(out, name_of(p, i), name_room(p));
		buf_puts(out, "</text>\n");
	}
}

/* The line of one emitter, broken where time is, dotted where it is gone. */
static void
put_lane(const struct svg_plan *p, unsigned lane, struct buf *out)
{
	_cleanup_buf_ struct buf gone = BUF_INIT;
	double x = p->x0 + lane * p->step, from = p->head_y + 10;
	bool stopped = false;

	buf_printf(out, "<path class=\"la s%u\" d=\"", lane % STYLESHEET_COLOURS);
	for (size_t i = 0; i < p->ring->n; i++) {
		const struct event *e = ring_get(p->ring, i);
		const struct svg_place *w = &p->rows[i];
		bool mine = p->lane[e->emitter] == lane + 1;

		if (w->gap_y) {
			buf_printf(stopped ? &gone : out, "M%.1f %.1fV%.1f", x, from, w->gap_y);
			from = w->gap_y + BREAK - 10;
		}
		if (mine && (stopped || e->stop)) {
			buf_printf(stopped ? &gone : out, "M%.1f %.1fV%.1f", x, from, w->y);
			from = w->y;
			stopped = e->stop && !(p->sharing && lane == LANES_MAX - 1);
		}
	}
	buf_printf(stopped ? &gone : out, "M%.1f %.1fV%.1f", x, from, p->bottom);
	buf_printf(out, "\"/>\n");
	if (gone.len)
		buf_printf(out, "<path class=\"go s%u\" d=\"%s\"/>\n", lane % STYLESHEET_COLOURS, gone.s);
}

static void
put_break(const struct svg_plan *p, const struct svg_place *w, struct buf *out)
{
	double y = w->gap_y + (BREAK - 10) / 2.0;

	buf_puts(out, "<path class=\"br\" d=\"");
	for (unsigned i = 0; i < p->lanes; i++)
		buf_printf(out, "M%.1f %.1fv%d", p->x0 + i * p->step, w->gap_y + 4, BREAK - 17);
	buf_printf(out, "\"/>\n<text class=\"du\" x=\"%d\" y=\"%.1f\">", MARGIN, y + 4);
	if (w->gap_ns > 0) {
		label_duration(out, w->gap_ns);
		buf_puts(out, " later");
	}
	buf_puts(out, "</text>\n");
}

static void
put_dot(const struct svg_plan *p, const struct event *e, double y, struct buf *out)
{
	double x = lane_x(p, e->emitter);
	unsigned c = tint(p, e->emitter);

	if (e->level >= 0 && e->level <= 3)
		buf_printf(out, "<rect class=\"bad\" x=\"%.1f\" y=\"%.1f\" width=\"11\" height=\"11\" rx=\"2\"/>", x - 5.5, y - 5.5);
	else if (e->moved_ns >= 1000)
		buf_printf(out, "<circle class=\"ho s%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"/>", c, x, y, RADIUS);
	else
		buf_printf(out, "<circle class=\"do f%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"/>", c, x, y, RADIUS + 1);
}

static void
put_record(const struct svg_plan *p, size_t i, struct buf *out)
{
	const struct event *e = ring_get(p->ring, i);
	const struct svg_place *w = &p->rows[i];
	_cleanup_buf_ struct buf marks = BUF_INIT, when = BUF_INIT;
	const char *name = p->svg->model->emitters[e->emitter].name;

	buf_puts(out, "<g class=\"r\"><title>");
	put_lines(out, e->raw);
	buf_puts(out, e->raw.n == RING_TEXT ? "\n(cut here)</title>" : "</title>");
	buf_printf(out, "<rect class=\"hi\" x=\"0\" y=\"%.1f\" width=\"%.0f\" height=\"%d\"/>", w->y - ROW / 2.0, p->width, ROW);
	buf_printf(out, "<path class=\"ld\" d=\"M%.1f %.1fH%.1f\"/>", lane_x(p, e->emitter) + 8, w->y, p->name_x - 8);
	put_dot(p, e, w->y, out);
	model_marks(e, &marks);
	if (!e->inherited)
		put_moment(&when, e->t, false, p->digits);
	buf_printf(out, "<text class=\"%s\" x=\"%d\" y=\"%.1f\">%s</text>", e->moved_ns >= 1000 ? "ts ma" : "ts", MARGIN,
	    w->y + 4, when.s);
	buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\"><tspan class=\"na f%u\">", p->name_x, w->y + 4, tint(p, e->emitter));
	put_name(out, name, NAME_COLUMNS);
	buf_printf(out, "</tspan><tspan x=\"%.1f\"%s>", p->text_x, e->level >= 0 && e->level <= 3 ? " class=\"er\"" : "");
	if (marks.len)
		buf_printf(out, "<tspan class=\"ma\">%s </tspan>", marks.s);
	put_xml(out, e->text.p, e->text.n, TEXT_COLUMNS);
	if (e->more)
		buf_printf(out, "<tspan class=\"mo\"> (+%u lines)</tspan>", e->more);
	buf_puts(out, "</tspan></text></g>\n");
}

/* A head at X, Y, for a line that comes from the direction UX, UY. */
static void
put_head_of(double x, double y, double ux, double uy, const char *class, struct buf *out)
{
	double neck_x = x - ux * 9, neck_y = y - uy * 9;

	buf_printf(out, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1fz\"/>", class, x, y, neck_x - uy * 4.2,
	    neck_y + ux * 4.2, neck_x + uy * 4.2, neck_y - ux * 4.2);
}

/* A straight line with a head, between two dots. */
static void
put_line(double x1, double y1, double x2, double y2, const char *line, const char *head, struct buf *out)
{
	double dx = x2 - x1, dy = y2 - y1, len = fmax(hypot(dx, dy), 1), ux = dx / len, uy = dy / len;

	buf_printf(out, "<path class=\"ar %s\" d=\"M%.1f %.1fL%.1f %.1f\"/>", line, x1 + ux * (RADIUS + 1),
	    y1 + uy * (RADIUS + 1), x2 - ux * (RADIUS + 10), y2 - uy * (RADIUS + 10));
	put_head_of(x2 - ux * (RADIUS + 2), y2 - uy * (RADIUS + 2), ux, uy, head, out);
}

/*
 * One that crosses other lanes arrives level: on its own row there is no dot of
 * theirs that it could run through.
 */
static void
put_curve(double x1, double y1, double x2, double y2, const char *line, const char *head, struct buf *out)
{
	double dx = x2 - x1, dy = y2 - y1, side = dx < 0 ? -1 : 1, end = x2 - side * (RADIUS + 2);

	buf_printf(out, "<path class=\"ar %s\" d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\"/>", line, x1 + side * 4,
	    y1 + RADIUS, x1 + side * fmin(fabs(dx) * 0.25, 60), y1 + dy * 0.8, x2 - dx * 0.6, y2, end - side * 8, y2);
	put_head_of(end, y2, side, 0, head, out);
}

static void
put_arrows(const struct svg_plan *p, size_t i, struct buf *out)
{
	const struct event *e = ring_get(p->ring, i);
	uint64_t first = ring_get(p->ring, 0)->serial;

	for (size_t k = 0; k < e->n_arrows; k++) {
		const struct arrow *a = &e->arrows[k];
		_cleanup_buf_ struct buf why = BUF_INIT;
		char line[24], head[24];
		double here = lane_x(p, e->emitter), there, y;

		/* From before the picture begins, or between two that share a lane. */
		if (a->from < first || p->lane[a->emitter] == p->lane[e->emitter])
			continue;
		there = lane_x(p, a->emitter);
		y = p->rows[a->from - first].y;
		snprintf(line, sizeof line, a->back ? "x" : "k%u s%u", a->class, tint(p, a->emitter));
		snprintf(head, sizeof head, a->back ? "xh" : "f%u", tint(p, a->emitter));
		model_reason(p->svg->model, e, a, &why);
		buf_puts(out, "<g class=\"a\"><title>");
		put_xml(out, why.s, why.len, 0);
		buf_puts(out, "</title>");
		if (a->back)
			put_line(here, p->rows[i].y, there, y, line, head, out);
		else if (fabs(here - there) < p->step * 1.5 || p->rows[i].y - y < 1.5 * ROW)
			put_line(there, y, here, p->rows[i].y, line, head, out);
		else
			put_curve(there, y, here, p->rows[i].y, line, head, out);
		buf_puts(out, "</g>\n");
	}
}

static void
put_head(const struct svg_plan *p, struct buf *out)
{
	int64_t from = INT64_MAX, to = INT64_MIN;

	for (size_t i = 0; i < p->ring->n; i++) {
		const struct event *e = ring_get(p->ring, i);

		if (e->inherited)
			continue;
		from = e->t < from ? e->t : from;
		to = e->t > to ? e->t : to;
	}
	buf_printf(out, "<text class=\"ti\" x=\"%d\" y=\"34\">", MARGIN);
	if (from <= to) {
		put_moment(out, from, true, p->digits ? 3 : 0);
		buf_puts(out, " – ");
		put_moment(out, to, day_of(from) != day_of(to), p->digits ? 3 : 0);
		buf_puts(out, " UTC");
	} else {
		buf_puts(out, p->ring->n ? "without times" : "no records");
	}
	buf_printf(out, "</text>\n<text class=\"su\" x=\"%d\" y=\"54\">%zu record%s of %u emitter%s", MARGIN, p->ring->n,
	    p->ring->n == 1 ? "" : "s", p->emitters, p->emitters == 1 ? "" : "s");
	if (from < to) {
		buf_puts(out, " in ");
		label_duration(out, to - from);
	}
	buf_puts(out, "</text>\n");
}

/* What is not in the picture, to be said in it. */
static void
note_of(const struct svg_plan *p, uint64_t lost, struct buf *note)
{
	if (lost)
		buf_printf(note, "Cut: %ju earlier records are not drawn. ", (uintmax_t)lost);
	if (p->sharing)
		buf_printf(note, "%u emitters share the last line. ", p->emitters - LANES_MAX + 1);
}

static void
put_note(const struct svg_plan *p, struct buf *out)
{
	if (p->note.len == 0)
		return;
	buf_printf(out, "<rect class=\"wa\" x=\"%d\" y=\"68\" width=\"%.0f\" height=\"28\" rx=\"6\"/>"
	    "<text class=\"wt\" x=\"%d\" y=\"86\">%s</text>\n", MARGIN, (double)p->note.len * CHAR_WIDTH + 18, MARGIN + 12,
	    p->note.s);
}

static void
put_legend(const struct svg_plan *p, struct buf *out)
{
	double y = p->bottom + 34;

	buf_printf(out, "<g transform=\"translate(%d %.1f)\">"
	    "<circle class=\"do f0\" cx=\"6\" cy=\"-4\" r=\"6\"/><text class=\"lg\" x=\"18\">record</text>"
	    "<circle class=\"ho s0\" cx=\"82\" cy=\"-4\" r=\"5\"/><text class=\"lg\" x=\"94\">later than its time</text>"
	    "<rect class=\"bad\" x=\"216\" y=\"-10\" width=\"11\" height=\"11\" rx=\"2\"/><text class=\"lg\" x=\"234\">error</text>"
	    "<path class=\"ar s0\" d=\"M282 -4h24\"/><text class=\"lg\" x=\"312\">message, clock</text>"
	    "<path class=\"ar k3 s0\" d=\"M412 -4h24\"/><text class=\"lg\" x=\"442\">span</text>"
	    "<path class=\"ar k4 s0\" d=\"M486 -4h24\"/><text class=\"lg\" x=\"516\">stop, start</text>"
	    "<path class=\"ar x\" d=\"M594 -4h24\"/><text class=\"lg\" x=\"624\">against its order</text></g>\n", MARGIN, y);
}

uint64_t
svg_format(const struct svg *s, struct buf *out)
{
	struct svg_plan p = { .svg = s, .ring = &s->ring, .note = BUF_INIT };
	uint64_t lost = s->bounded ? s->ring.lost : 0;

	p.rows = xcalloc(s->ring.n + 1, sizeof *p.rows);
	plan_lanes(&p);
	note_of(&p, lost, &p.note);
	plan_columns(&p);
	plan_rows(&p);
	p.width = fmax(p.width, 780);
	p.height = ceil(p.bottom + 60);
	buf_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n",
	    p.width, p.height, p.width, p.height);
	stylesheet_add(out);
	buf_puts(out, "<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n");
	put_head(&p, out);
	put_note(&p, out);
	for (unsigned i = 0; i < p.lanes; i++)
		put_lane(&p, i, out);
	put_names(&p, p.head_y, out);
	for (size_t i = 0; i < s->ring.n; i++) {
		if (p.rows[i].strip_y)
			put_names(&p, p.rows[i].strip_y + 8, out);
		if (p.rows[i].gap_y)
			put_break(&p, &p.rows[i], out);
		put_record(&p, i, out);
	}
	for (size_t i = 0; i < s->ring.n; i++)
		put_arrows(&p, i, out);
	if (s->ring.n)
		put_legend(&p, out);
	buf_puts(out, "</svg>\n");
	buf_release(&p.note);
	free(p.rows);
	free(p.lane);
	free(p.emitter);
	return lost;
}
