#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "output/label.h"
#include "output/stylesheet.h"
#include "output/ring.h"
#include "output/svg.h"
#include "output/svgplan.h"
#include "output/svgtext.h"

enum { RADIUS = 5 };

struct svg {
	struct ring ring;
	const struct model *model;
	bool bounded;		/* the limit is ours, not the user's */
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

/* The names of the lanes, around Y. */
static void
put_names(const struct svgplan *p, double y, struct buf *out)
{
	for (unsigned i = 0; i < p->lanes; i++) {
		double x = p->x0 + i * p->step, w = svgplan_columns(svgplan_name(p, i), svgplan_name_room(p)) * SVGPLAN_CHAR_WIDTH + 18;
		unsigned c = i % STYLESHEET_COLOURS;

		if (p->slanted) {
			buf_printf(out, "<text class=\"na f%u\" transform=\"translate(%.1f %.1f) rotate(-40)\">", c, x + 3, y);
		} else {
			buf_printf(out, "<rect class=\"st\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"22\" rx=\"11\"/>"
			    "<rect class=\"pi f%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"22\" rx=\"11\"/>"
			    "<text class=\"na f%u\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">", x - w / 2, y - 15, w, c,
			    x - w / 2, y - 15, w, c, x, y);
		}
		svgtext_add_name(out, svgplan_name(p, i), svgplan_name_room(p));
		buf_puts(out, "</text>\n");
	}
}

/* The line of one emitter, broken where time is, dotted where it is gone. */
static void
put_lane(const struct svgplan *p, unsigned lane, struct buf *out)
{
	_cleanup_buf_ struct buf gone = BUF_INIT;
	double x = p->x0 + lane * p->step, from = p->head_y + 10;
	bool stopped = false;

	buf_printf(out, "<path class=\"la s%u\" d=\"", lane % STYLESHEET_COLOURS);
	for (size_t i = 0; i < p->ring->n; i++) {
		const struct event *e = ring_get(p->ring, i);
		const struct svgplan_place *w = &p->rows[i];
		bool mine = p->lane[e->emitter] == lane + 1;

		if (w->gap_y) {
			buf_printf(stopped ? &gone : out, "M%.1f %.1fV%.1f", x, from, w->gap_y);
			from = w->gap_y + SVGPLAN_BREAK - 10;
		}
		if (mine && (stopped || e->stop)) {
			buf_printf(stopped ? &gone : out, "M%.1f %.1fV%.1f", x, from, w->y);
			from = w->y;
			stopped = e->stop && !(p->sharing && lane == SVGPLAN_LANES - 1);
		}
	}
	buf_printf(stopped ? &gone : out, "M%.1f %.1fV%.1f", x, from, p->bottom);
	buf_printf(out, "\"/>\n");
	if (gone.len)
		buf_printf(out, "<path class=\"go s%u\" d=\"%s\"/>\n", lane % STYLESHEET_COLOURS, gone.s);
}

static void
put_break(const struct svgplan *p, const struct svgplan_place *w, struct buf *out)
{
	double y = w->gap_y + (SVGPLAN_BREAK - 10) / 2.0;

	buf_puts(out, "<path class=\"br\" d=\"");
	for (unsigned i = 0; i < p->lanes; i++)
		buf_printf(out, "M%.1f %.1fv%d", p->x0 + i * p->step, w->gap_y + 4, SVGPLAN_BREAK - 17);
	buf_printf(out, "\"/>\n<text class=\"du\" x=\"%d\" y=\"%.1f\">", SVGPLAN_MARGIN, y + 4);
	if (w->gap_ns > 0) {
		label_duration(out, w->gap_ns);
		buf_puts(out, " later");
	}
	buf_puts(out, "</text>\n");
}

static void
put_dot(const struct svgplan *p, const struct event *e, double y, struct buf *out)
{
	double x = svgplan_lane_x(p, e->emitter);
	unsigned c = svgplan_tint(p, e->emitter);

	if (e->level >= 0 && e->level <= 3)
		buf_printf(out, "<rect class=\"bad\" x=\"%.1f\" y=\"%.1f\" width=\"11\" height=\"11\" rx=\"2\"/>", x - 5.5, y - 5.5);
	else if (e->moved_ns >= 1000)
		buf_printf(out, "<circle class=\"ho s%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"/>", c, x, y, RADIUS);
	else
		buf_printf(out, "<circle class=\"do f%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"/>", c, x, y, RADIUS + 1);
}

static void
put_record(const struct svgplan *p, size_t i, struct buf *out)
{
	const struct event *e = ring_get(p->ring, i);
	const struct svgplan_place *w = &p->rows[i];
	_cleanup_buf_ struct buf marks = BUF_INIT, when = BUF_INIT;
	const char *name = p->model->emitters[e->emitter].name;

	buf_puts(out, "<g class=\"r\"><title>");
	svgtext_add_lines(out, e->raw);
	buf_puts(out, e->raw.n == RING_TEXT ? "\n(cut here)</title>" : "</title>");
	buf_printf(out, "<rect class=\"hi\" x=\"0\" y=\"%.1f\" width=\"%.0f\" height=\"%d\"/>", w->y - SVGPLAN_ROW / 2.0, p->width, SVGPLAN_ROW);
	buf_printf(out, "<path class=\"ld\" d=\"M%.1f %.1fH%.1f\"/>", svgplan_lane_x(p, e->emitter) + 8, w->y, p->name_x - 8);
	put_dot(p, e, w->y, out);
	model_marks(e, &marks);
	if (!e->inherited)
		svgtext_add_time(&when, e->t, false, p->digits);
	buf_printf(out, "<text class=\"%s\" x=\"%d\" y=\"%.1f\">%s</text>", e->moved_ns >= 1000 ? "ts ma" : "ts", SVGPLAN_MARGIN,
	    w->y + 4, when.s);
	buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\"><tspan class=\"na f%u\">", p->name_x, w->y + 4, svgplan_tint(p, e->emitter));
	svgtext_add_name(out, name, SVGPLAN_NAME_COLUMNS);
	buf_printf(out, "</tspan><tspan x=\"%.1f\"%s>", p->text_x, e->level >= 0 && e->level <= 3 ? " class=\"er\"" : "");
	if (marks.len)
		buf_printf(out, "<tspan class=\"ma\">%s </tspan>", marks.s);
	svgtext_add(out, e->text.p, e->text.n, SVGPLAN_TEXT_COLUMNS);
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
put_arrows(const struct svgplan *p, size_t i, struct buf *out)
{
	const struct event *e = ring_get(p->ring, i);
	uint64_t first = ring_get(p->ring, 0)->serial;

	for (size_t k = 0; k < e->n_arrows; k++) {
		const struct arrow *a = &e->arrows[k];
		_cleanup_buf_ struct buf why = BUF_INIT;
		char line[32], head[24];
		double here = svgplan_lane_x(p, e->emitter), there, y;

		/* From before the picture begins, or between two that share a lane. */
		if (a->from < first || p->lane[a->emitter] == p->lane[e->emitter])
			continue;
		there = svgplan_lane_x(p, a->emitter);
		y = p->rows[a->from - first].y;
		if (a->back)
			snprintf(line, sizeof line, "x");
		else
			snprintf(line, sizeof line, "%s%u s%u", a->learned ? "le k" : "k", a->class, svgplan_tint(p, a->emitter));
		snprintf(head, sizeof head, a->back ? "xh" : "f%u", svgplan_tint(p, a->emitter));
		model_reason(p->model, e, a, &why);
		buf_puts(out, "<g class=\"a\"><title>");
		svgtext_add(out, why.s, why.len, 0);
		buf_puts(out, "</title>");
		if (a->back)
			put_line(here, p->rows[i].y, there, y, line, head, out);
		else if (fabs(here - there) < p->step * 1.5 || p->rows[i].y - y < 1.5 * SVGPLAN_ROW)
			put_line(there, y, here, p->rows[i].y, line, head, out);
		else
			put_curve(there, y, here, p->rows[i].y, line, head, out);
		buf_puts(out, "</g>\n");
	}
}

static void
put_head(const struct svgplan *p, struct buf *out)
{
	int64_t from = INT64_MAX, to = INT64_MIN;

	for (size_t i = 0; i < p->ring->n; i++) {
		const struct event *e = ring_get(p->ring, i);

		if (e->inherited)
			continue;
		from = e->t < from ? e->t : from;
		to = e->t > to ? e->t : to;
	}
	buf_printf(out, "<text class=\"ti\" x=\"%d\" y=\"34\">", SVGPLAN_MARGIN);
	if (from <= to) {
		svgtext_add_time(out, from, true, p->digits ? 3 : 0);
		buf_puts(out, " – ");
		svgtext_add_time(out, to, svgtext_day(from) != svgtext_day(to), p->digits ? 3 : 0);
		buf_puts(out, " UTC");
	} else {
		buf_puts(out, p->ring->n ? "without times" : "no records");
	}
	buf_printf(out, "</text>\n<text class=\"su\" x=\"%d\" y=\"54\">%zu record%s of %u emitter%s", SVGPLAN_MARGIN, p->ring->n,
	    p->ring->n == 1 ? "" : "s", p->emitters, p->emitters == 1 ? "" : "s");
	if (from < to) {
		buf_puts(out, " in ");
		label_duration(out, to - from);
	}
	buf_puts(out, "</text>\n");
}

static void
put_note(const struct svgplan *p, struct buf *out)
{
	if (p->note.len == 0)
		return;
	buf_printf(out, "<rect class=\"wa\" x=\"%d\" y=\"68\" width=\"%.0f\" height=\"28\" rx=\"6\"/>"
	    "<text class=\"wt\" x=\"%d\" y=\"86\">%s</text>\n", SVGPLAN_MARGIN, (double)p->note.len * SVGPLAN_CHAR_WIDTH + 18, SVGPLAN_MARGIN + 12,
	    p->note.s);
}

static void
put_legend(const struct svgplan *p, struct buf *out)
{
	double y = p->bottom + 34;

	buf_printf(out, "<g transform=\"translate(%d %.1f)\">"
	    "<circle class=\"do f0\" cx=\"6\" cy=\"-4\" r=\"6\"/><text class=\"lg\" x=\"18\">record</text>"
	    "<circle class=\"ho s0\" cx=\"82\" cy=\"-4\" r=\"5\"/><text class=\"lg\" x=\"94\">later than its time</text>"
	    "<rect class=\"bad\" x=\"216\" y=\"-10\" width=\"11\" height=\"11\" rx=\"2\"/><text class=\"lg\" x=\"234\">error</text>"
	    "<path class=\"ar s0\" d=\"M282 -4h24\"/><text class=\"lg\" x=\"312\">message, clock</text>"
	    "<path class=\"ar k3 s0\" d=\"M412 -4h24\"/><text class=\"lg\" x=\"442\">span</text>"
	    "<path class=\"ar k4 s0\" d=\"M486 -4h24\"/><text class=\"lg\" x=\"516\">stop, start</text>"
	    "<path class=\"ar le s0\" d=\"M594 -4h24\"/><text class=\"lg\" x=\"624\">learned</text>"
	    "<path class=\"ar x\" d=\"M686 -4h24\"/><text class=\"lg\" x=\"716\">against its order</text></g>\n", SVGPLAN_MARGIN, y);
}

uint64_t
svg_format(const struct svg *s, struct buf *out)
{
	uint64_t lost = s->bounded ? s->ring.lost : 0;
	struct svgplan p;

	svgplan_begin(&p, s->model, &s->ring, lost);
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
	svgplan_release(&p);
	return lost;
}
