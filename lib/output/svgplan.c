#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "output/columns.h"
#include "output/label.h"
#include "output/stylesheet.h"
#include "output/svgplan.h"
#include "output/svgtext.h"

enum {
	FAR = 54,		/* added to a row at most, for the time between two records */
	STRIP_ROWS = 50,
	LANES_WIDTH = 900,	/* with wider lanes the text is too far from its dot */
};

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

static void
plan_rows(struct svgplan *p)
{
	double usual = usual_gap(p->ring), y = p->top;
	int64_t last = 0;

	for (size_t i = 0; i < p->ring->n; i++) {
		const struct event *e = ring_get(p->ring, i);
		struct svgplan_place *w = &p->rows[i];
		double gap = i ? (double)e->t - (double)last : 0;

		if (i)
			y += SVGPLAN_ROW;
		if (i && i % STRIP_ROWS == 0) {
			w->strip_y = y;
			y += SVGPLAN_STRIP;
		}
		w->day = svgtext_day(e->t > last || i == 0 ? e->t : last);
		if (i && ((gap > 50 * usual && gap > 1e8) || w->day > p->rows[i - 1].day)) {
			w->gap_y = y - 2;
			w->gap_ns = e->t - last;
			y += SVGPLAN_BREAK;
		} else if (gap > 0) {
			y += fmin(9 * log2(1 + gap / usual), FAR);
		}
		w->y = y;
		if (i == 0 || e->t > last)
			last = e->t;
	}
	p->bottom = y + SVGPLAN_ROW;
}

/* Each emitter has a lane: put them so that it is easy to follow the arrows. */
static void
sort_lanes(struct svgplan *p)
{
	unsigned n = p->model->n_emitters, next = 0;
	_cleanup_free_ unsigned *order = n <= 4 * SVGPLAN_LANES ? columns_order(p->ring, n) : NULL, *at = xcalloc(n + 1, sizeof *at);

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
plan_lanes(struct svgplan *p)
{
	p->lane = xcalloc(p->model->n_emitters + 1, sizeof *p->lane);
	p->emitter = xcalloc(SVGPLAN_LANES, sizeof *p->emitter);
	for (size_t i = 0; i < p->ring->n; i++) {
		unsigned *lane = &p->lane[ring_get(p->ring, i)->emitter];

		if (*lane)
			continue;
		p->emitters++;
		if (p->lanes == SVGPLAN_LANES) {
			p->sharing = true;
			*lane = SVGPLAN_LANES;
			continue;
		}
		p->emitter[p->lanes] = ring_get(p->ring, i)->emitter;
		*lane = ++p->lanes;
	}
	if (!p->sharing)
		sort_lanes(p);
}

const char *
svgplan_name(const struct svgplan *p, unsigned lane)
{
	return p->sharing && lane == SVGPLAN_LANES - 1 ? "others" : p->model->emitters[p->emitter[lane]].name;
}

double
svgplan_columns(const char *text, unsigned most)
{
	unsigned n = label_width(text, strlen(text));

	return n > most ? most : n;
}

static void
plan_columns(struct svgplan *p)
{
	double name = 4, text = 20;
	int64_t part = 0;

	for (unsigned i = 0; i < p->lanes; i++)
		name = fmax(name, svgplan_columns(svgplan_name(p, i), SVGPLAN_NAME_COLUMNS));
	for (size_t i = 0; i < p->ring->n; i++) {
		const struct event *e = ring_get(p->ring, i);
		_cleanup_buf_ struct buf marks = BUF_INIT;

		model_marks(e, &marks);
		text = fmax(text, fmin(label_width(e->text.p, e->text.n), SVGPLAN_TEXT_COLUMNS) + (double)marks.len + (e->more ? 12 : 1));
		part |= e->t % 1000000 ? 1 : e->t % 1000000000 ? 2 : 0;
	}
	p->digits = part & 1 ? 6 : part & 2 ? 3 : 0;
	p->step = fmin(fmax(name * SVGPLAN_CHAR_WIDTH + 30, 72), 160);
	if (p->lanes * p->step > LANES_WIDTH) {
		p->slanted = true;
		p->step = fmax(LANES_WIDTH / (double)p->lanes, 20);
	}
	p->x0 = SVGPLAN_MARGIN + (8 + (p->digits ? p->digits + 1 : 0)) * SVGPLAN_CHAR_WIDTH + 24 + (p->slanted ? 8 : p->step / 2);
	p->name_x = p->x0 + (p->lanes ? p->lanes - 1 : 0) * p->step + (p->slanted ? 36 : fmax(p->step / 2, 36));
	p->text_x = p->name_x + name * SVGPLAN_CHAR_WIDTH + 18;
	p->width = ceil(p->text_x + text * SVGPLAN_CHAR_WIDTH + SVGPLAN_MARGIN);
	p->width = fmax(p->width, p->slanted ? p->name_x + name * 6 : 0);
	p->head_y = (p->note.len ? 124 : 84) + (p->slanted ? name * SVGPLAN_CHAR_WIDTH * 0.66 : 0);
	p->top = p->head_y + 34;
}

double
svgplan_lane_x(const struct svgplan *p, unsigned emitter)
{
	return p->x0 + (p->lane[emitter] - 1) * p->step;
}

unsigned
svgplan_tint(const struct svgplan *p, unsigned emitter)
{
	return (p->lane[emitter] - 1) % STYLESHEET_COLOURS;
}

unsigned
svgplan_name_room(const struct svgplan *p)
{
	unsigned room = p->slanted ? SVGPLAN_NAME_COLUMNS : (unsigned)((p->step - 22) / SVGPLAN_CHAR_WIDTH);

	return room < SVGPLAN_NAME_COLUMNS ? room : SVGPLAN_NAME_COLUMNS;
}

/* What is not in the picture, to be said in it. */
static void
note_of(const struct svgplan *p, uint64_t lost, struct buf *note)
{
	if (lost)
		buf_printf(note, "Cut: %ju earlier records are not drawn. ", (uintmax_t)lost);
	if (p->sharing)
		buf_printf(note, "%u emitters share the last line. ", p->emitters - SVGPLAN_LANES + 1);
}

void
svgplan_begin(struct svgplan *p, const struct model *model, const struct ring *ring, uint64_t lost)
{
	*p = (struct svgplan){ .model = model, .ring = ring, .note = BUF_INIT };
	p->rows = xcalloc(ring->n + 1, sizeof *p->rows);
	plan_lanes(p);
	note_of(p, lost, &p->note);
	plan_columns(p);
	plan_rows(p);
	p->width = fmax(p->width, 860);
	p->height = ceil(p->bottom + 60);
}

void
svgplan_release(struct svgplan *p)
{
	buf_release(&p->note);
	free(p->rows);
	free(p->lane);
	free(p->emitter);
}
