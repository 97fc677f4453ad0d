#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/table.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/listing.h"

struct listing {
	enum listing_format format;
	const struct listing_spec *spec;
	struct buf *out;
	bool *used;		/* of each column of the table */
	struct json *rows;	/* kept until it is known which columns are used */
	size_t n, cap;
	bool any;
};

/* The choices are in the order of the enumeration. */
enum listing_format
listing_format(const struct opt_scan *s)
{
	return (enum listing_format)opt_choice(s);
}

enum listing_format
listing_default(const struct opt_tool *tool)
{
	int chosen = opt_environment_format(tool);

	if (chosen >= 0)
		return (enum listing_format)chosen;
	return isatty(STDOUT_FILENO) ? LISTING_TABLE : LISTING_JSONL;
}

static size_t
column_count(const struct listing_column *c)
{
	size_t n = 0;

	while (c && c[n].heading)
		n++;
	return n;
}

struct listing *
listing_new(enum listing_format format, const struct listing_spec *spec, struct buf *out)
{
	struct listing *l = xcalloc(1, sizeof *l);

	*l = (struct listing){ .format = format, .spec = spec, .out = out };
	l->used = xcalloc(column_count(spec->table), sizeof *l->used);
	return l;
}

void
listing_free(struct listing *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		json_release(&l->rows[i]);
	free(l->rows);
	free(l->used);
	free(l);
}

/* The first of KEYS that is there, as text; what is no string as JSON. */
static void
cell_text(struct json record, const char *keys, struct buf *out)
{
	buf_reset(out);
	while (*keys && out->len == 0) {
		size_t n = strcspn(keys, "|");
		_cleanup_free_ char *key = xstrndup(keys, n);
		_cleanup_json_ struct json v = json_get(record, key);

		if (*key == '=')
			buf_puts(out, key + 1);
		else if (json_kind(v) == JSON_STRING)
			buf_puts(out, json_get_string(v));
		else if (json_kind(v) != JSON_NONE && json_kind(v) != JSON_NULL)
			json_format(v, out);
		keys += n + (keys[n] == '|');
	}
}

/* As jq's @tsv. */
static void
add_escaped(const char *text, struct buf *out)
{
	static const char plain[] = "\t\n\r\\", letters[] = "tnr\\";

	while (*text) {
		const char *p = strchr(plain, *text);
		size_t n = utf8_control(text);

		if (p) {
			buf_printf(out, "\\%c", letters[p - plain]);
			text++;
			continue;
		}
		if (n == 0)
			buf_putc(out, *text++);
		for (; n > 0; n--)
			buf_printf(out, "\\x%02x", (unsigned char)*text++);
	}
}

static void
add_tsv(struct listing *l, struct json record)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	for (const struct listing_column *c = l->spec->tsv; c->heading; c++) {
		if (c != l->spec->tsv)
			buf_putc(l->out, '\t');
		cell_text(record, c->key, &text);
		add_escaped(text.s, l->out);
	}
	buf_putc(l->out, '\n');
}

static void
add_key(const char *text, struct buf *out)
{
	for (; *text; text++)
		if ((*text >= 'A' && *text <= 'Z') || (*text >= 'a' && *text <= 'z') ||
		    (*text >= '0' && *text <= '9') || strchr("._-", *text))
			buf_putc(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
}

static void
add_kv(struct listing *l, struct json record)
{
	const char *id = component_id(record);

	for (struct json_iter it = json_begin(record); json_next(&it); ) {
		if (json_kind(it.value) != JSON_STRING || strcmp(it.key, "id") == 0)
			continue;
		add_key(id ? id : "", l->out);
		buf_putc(l->out, '.');
		add_key(it.key, l->out);
		buf_putc(l->out, '=');
		add_escaped(json_get_string(it.value), l->out);
		buf_putc(l->out, '\n');
	}
}

static void
add_adu(struct listing *l, struct json record)
{
	_cleanup_json_ struct json c = json_copy(record);
	struct json properties = json_get(c, "properties");

	if (!json_is_object(properties)) {
		json_release(&properties);
		properties = json_object();
	}
	json_set_text(&properties, "status",
	    component_state(c) == COMPONENT_ONLINE ? "ok" : "unknown");
	json_set(&c, "properties", properties);
	json_remove(&c, "state");
	json_remove(&c, "reason");
	json_format(c, l->out);
}

static void
keep_row(struct listing *l, struct json record)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	l->rows = xgrow(l->rows, l->n, &l->cap, sizeof *l->rows);
	l->rows[l->n++] = json_copy(record);
	for (size_t i = 0; l->spec->table[i].heading; i++)
		if (!l->used[i]) {
			cell_text(record, l->spec->table[i].key, &text);
			l->used[i] = text.len > 0;
		}
}

static void
begin_document(struct listing *l)
{
	if (!l->any) {
		buf_puts(l->out, "{\"");
		buf_puts(l->out, l->format == LISTING_ADU ? "components" : l->spec->name);
		buf_puts(l->out, "\":[");
	}
}

void
listing_add(struct listing *l, struct json record)
{
	switch (l->format) {
	case LISTING_JSON:
	case LISTING_ADU:
		begin_document(l);
		buf_puts(l->out, l->any ? ",\n" : "\n");
		if (l->format == LISTING_ADU)
			add_adu(l, record);
		else
			json_format(record, l->out);
		break;
	case LISTING_TABLE:
		keep_row(l, record);
		break;
	case LISTING_TSV:
		add_tsv(l, record);
		break;
	case LISTING_KV:
		add_kv(l, record);
		break;
	default:
		json_format(record, l->out);
		buf_putc(l->out, '\n');
	}
	l->any = true;
}

static void
end_table(struct listing *l)
{
	const struct listing_column *c = l->spec->table, *last = NULL;
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct table *t;

	if (l->n == 0)
		return;
	t = table_new();
	for (size_t i = 0; c[i].heading; i++)
		if (l->used[i])
			table_cell(t, c[i].heading);
	table_end_row(t);
	for (size_t row = 0; row < l->n; row++) {
		for (size_t i = 0; c[i].heading; i++)
			if (l->used[i]) {
				cell_text(l->rows[row], c[i].key, &text);
				(c[i].kind == LISTING_STATE ? table_state : table_cell)(t, text.s);
			}
		table_end_row(t);
	}
	for (size_t i = 0; c[i].heading; i++)
		if (l->used[i])
			last = &c[i];
	if (last && last->kind == LISTING_SENTENCE)
		table_wrap(t);
	table_terminal(t, STDOUT_FILENO);
	table_format(t, l->out);
	table_free(t);
}

void
listing_end(struct listing *l)
{
	if (l->format == LISTING_TABLE) {
		end_table(l);
	} else if (l->format == LISTING_JSON || l->format == LISTING_ADU) {
		begin_document(l);
		buf_puts(l->out, l->any ? "\n]}\n" : "]}\n");
	}
}
