#include <stdio.h>
#include <string.h>

#include "base/jsontext.h"
#include "base/table.h"
#include "base/xalloc.h"
#include "output/sourcelist.h"

/* One row: what there is to tell of a source. */
struct sourcelist_row {
	const char *format, *kind, *zone, *clock, *order, *second;
	int margin;
	double untimed;		/* share of the records */
};

static void
describe(const struct source *s, const struct survey *v, struct sourcelist_row *row)
{
	enum time_kind kind = survey_kind(v);
	bool absolute = kind == TIME_EPOCH || kind == TIME_TAI64N || kind == TIME_DMESG || kind == TIME_AUDIT;

	*row = (struct sourcelist_row){ .format = s->fmt->name, .kind = timekind_name(kind),
	    .zone = kind == TIME_NONE ? NULL : absolute ? "UTC" : v->by_zone ? s->zone_name : "of each time",
	    .order = source_order_name(s), .margin = survey_margin(s),
	    .clock = s->clock ? s->clock : source_names_hosts(s) ? "by host" : s->name, .second = s->detected.second ? s->detected.second->name : NULL,
	    .untimed = v->records ? (double)v->untimed / (double)v->records : 0 };
}

static void
member(struct buf *out, const char *key, const char *text)
{
	buf_printf(out, ",\"%s\":", key);
	if (text)
		jsontext_quote(text, strlen(text), out);
	else
		buf_puts(out, "null");
}

static void
add_json(const struct source *s, const struct survey *v, const struct sourcelist_row *row, struct buf *out)
{
	buf_puts(out, "{\"source\":");
	jsontext_quote(s->name, strlen(s->name), out);
	member(out, "format", row->format);
	buf_printf(out, ",\"margin\":");
	if (row->margin < 0)
		buf_puts(out, "null");
	else
		buf_printf(out, "%d", row->margin);
	member(out, "second", row->second);
	member(out, "time", row->kind);
	member(out, "zone", row->zone);
	member(out, "clock", row->clock);
	member(out, "order", row->order);
	buf_printf(out, ",\"untimed\":%.4g,\"records\":%jd,\"whole\":%s}\n", row->untimed, (intmax_t)v->records,
	    v->whole ? "true" : "false");
}

static void
add_cells(struct table *t, const struct source *s, const struct sourcelist_row *row)
{
	char margin[16], untimed[16];

	snprintf(margin, sizeof margin, row->margin < 0 ? "named" : "%d%%", row->margin);
	snprintf(untimed, sizeof untimed, "%.0f%%", row->untimed * 100);
	table_cell(t, s->name);
	table_cell(t, row->format);
	table_cell(t, margin);
	table_cell(t, row->kind);
	table_cell(t, row->zone ? row->zone : "-");
	table_cell(t, row->clock);
	table_cell(t, row->order);
	table_cell(t, untimed);
	table_end_row(t);
}

void
sourcelist_print(struct source *const *v, const struct survey *surveys, unsigned n, bool json, struct buf *out)
{
	static const char *const heads[] = { "SOURCE", "FORMAT", "MARGIN", "TIME", "ZONE", "CLOCK", "ORDER", "UNTIMED" };
	struct table *t = table_new();

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		table_cell(t, heads[i]);
	table_end_row(t);
	for (unsigned i = 0; i < n; i++) {
		struct sourcelist_row row;

		describe(v[i], &surveys[i], &row);
		if (json)
			add_json(v[i], &surveys[i], &row, out);
		else
			add_cells(t, v[i], &row);
	}
	if (!json)
		table_format(t, out);
	table_free(t);
}
