#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "doctor/codes.h"

enum { COLUMNS = 5 };

/* Rows of one of the tables: cells borrow TEXT. */
struct row {
	int64_t first, last;
	const char *cells[COLUMNS];	/* NULL beyond its end */
};

struct table_of {
	char *text;
	struct row *rows;
	size_t n, cap;
};

struct codes {
	struct table_of named, meanings;
};

/* The N bytes of S as a number: "605", "-1", "0x30501000".  False if they are none. */
static bool
parse_number(const char *s, size_t n, int64_t *out)
{
	_cleanup_free_ char *copy = xstrndup(s, n);
	char *end;

	if (strncmp(copy, "0x", 2) == 0 || strncmp(copy, "0X", 2) == 0) {
		if (n < 3 || n > 10 || copy[2 + strspn(copy + 2, "0123456789abcdefABCDEF")])
			return false;
		*out = (int64_t)strtoull(copy, &end, 16);
		return true;
	}
	return num_parse(copy, INT32_MIN, UINT32_MAX, out) == 0;
}

static void
add_row(struct table_of *t, char *line)
{
	struct row r = { 0 };
	size_t n;

	for (int i = 0; i < COLUMNS && line; i++)
		r.cells[i] = strsep(&line, "\t");
	/* a sign is no dash */
	n = strcspn(r.cells[0] + (*r.cells[0] != '\0'), "-") + (*r.cells[0] != '\0');
	if (!r.cells[1] || !parse_number(r.cells[0], n, &r.first))
		return;
	r.last = r.first;
	if (r.cells[0][n] && (!parse_number(r.cells[0] + n + 1, strlen(r.cells[0] + n + 1), &r.last) ||
	    r.last < r.first))
		return;
	t->rows = xgrow(t->rows, t->n, &t->cap, sizeof *t->rows);
	t->rows[t->n++] = r;
}

static void
parse_table(const char *text, struct table_of *t)
{
	char *rest = t->text = xstrdup(text), *line;

	while ((line = strsep(&rest, "\n")))
		if (*line && *line != '#')
			add_row(t, line);
}

struct codes *
codes_parse(const char *named, const char *meanings)
{
	struct codes *c = xcalloc(1, sizeof *c);

	parse_table(named, &c->named);
	parse_table(meanings, &c->meanings);
	return c;
}

static int
load_table(const char *name, struct buf *out, struct fail *f)
{
	_cleanup_free_ char *path = dirs_find("codes.d", name);

	if (!path)
		return fail_set(f, EXIT_TROUBLE, "%s: neither in %s/codes.d nor in %s/codes.d", name,
		    dirs_config(), dirs_vendor());
	return file_load(path, 0, FILE_DATA_MAX, out, f);
}

int
codes_load(struct codes **out, struct fail *f)
{
	_cleanup_buf_ struct buf named = BUF_INIT, meanings = BUF_INIT;
	int r = load_table("adu-result-codes.tsv", &named, f);

	if (r == 0)
		r = load_table("adu-results.tsv", &meanings, f);
	if (r == 0)
		*out = codes_parse(named.s, meanings.s);
	return r;
}

void
codes_free(struct codes *c)
{
	if (!c)
		return;
	free(c->named.text);
	free(c->named.rows);
	free(c->meanings.text);
	free(c->meanings.rows);
	free(c);
}

/* The row with the smallest range that contains CODE; NULL for none. */
static const struct row *
find_row(const struct table_of *t, int64_t code)
{
	const struct row *best = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const struct row *r = &t->rows[i];

		if (code >= r->first && code <= r->last &&
		    (!best || r->last - r->first < best->last - best->first))
			best = r;
	}
	return best;
}

/* The COLUMN of the first row that agrees with CODE in the bits of MASK; NULL for none. */
static const char *
name_of(const struct table_of *t, int64_t code, int64_t mask, int column)
{
	for (size_t i = 0; i < t->n; i++)
		if ((t->rows[i].first & mask) == (code & mask))
			return t->rows[i].cells[column];
	return NULL;
}

static char *
meaning_of(const struct row *r, int64_t code)
{
	const int64_t distance = code - r->first;
	struct buf b = BUF_INIT;

	for (const char *s = r->cells[2]; *s; s++) {
		if (*s != '%' || !s[1]) {
			buf_putc(&b, *s);
			continue;
		}
		switch (*++s) {
		case 'd':
			buf_printf(&b, "%" PRId64, distance);
			break;
		case 'e':
			buf_puts(&b, strerror((int)(distance & 0xfffff)));
			break;
		case 'h':
			buf_printf(&b, "0x%08" PRIX64, (code & 0x0fffffff) | 0x80000000);
			break;
		default:
			buf_putc(&b, *s);
		}
	}
	return buf_steal(&b);
}

static void
set_text(struct json *record, const char *key, const char *value)
{
	if (value && *value)
		json_set_text(record, key, value);
}

static void
set_meaning(struct json *record, const struct row *r, int64_t code)
{
	_cleanup_free_ char *meaning = r && r->cells[2] ? meaning_of(r, code) : NULL;

	set_text(record, "meaning", meaning);
}

/* Add the result code CODE; false if it is unknown. */
static bool
add_result(const struct codes *c, int64_t code, struct json *records)
{
	const struct row *r = find_row(&c->meanings, code);
	struct json record;
	char text[16];

	if (!r || code > 0xffff)
		return false;
	record = json_object();
	snprintf(text, sizeof text, "%d", (int)code);
	json_set_text(&record, "code", text);
	set_text(&record, "name", r->cells[1]);
	set_meaning(&record, r, code);
	json_append(records, record);
	return true;
}

/* Add the extended result code CODE; false if it has no name and no meaning. */
static bool
add_extended(const struct codes *c, int64_t code, struct json *records)
{
	const struct row *named = find_row(&c->named, code);
	const struct row *meant = code > 0xffff ? find_row(&c->meanings, code) : NULL;
	const char *facility = name_of(&c->named, code, 0xf0000000, 3);
	const char *component = name_of(&c->named, code, 0xfff00000, 4);
	struct json record = json_object();
	char text[16];

	snprintf(text, sizeof text, "0x%08" PRIX64, code);
	json_set_text(&record, "code", text);
	json_set(&record, "decimal", json_number((double)(int32_t)(uint32_t)code));
	set_text(&record, "name", named ? named->cells[2] : meant ? meant->cells[1] : NULL);
	set_text(&record, "facility", facility);
	set_text(&record, "component", component);
	json_set(&record, "value", json_number((double)(code & 0xfffff)));
	set_meaning(&record, meant, code);
	json_append(records, record);
	return named || meant;
}

/* Eight digits are hexadecimal even if all are decimal, because the agent reports them so. */
static bool
parse_code(const char *s, size_t n, int64_t *code, bool *is_decimal)
{
	_cleanup_free_ char *hex = xasprintf("0x%.*s", (int)n, s);

	*is_decimal = false;
	if (n == 8 && parse_number(hex, n + 2, code))
		return true;
	*is_decimal = n < 2 || s[0] != '0' || (s[1] != 'x' && s[1] != 'X');
	return n > 0 && n < 32 && parse_number(s, n, code);
}

int
codes_explain(const struct codes *c, const char *text, struct json *records)
{
	bool is_known = true, is_decimal;
	int64_t code;

	*records = json_array();
	for (;;) {
		size_t n = strcspn(text, ",");
		bool known;

		if (!parse_code(text, n, &code, &is_decimal)) {
			json_release(records);
			return -EINVAL;
		}
		known = is_decimal && add_result(c, code, records);
		code &= 0xffffffff;
		/* a known result code is explained as an extended code only if that has a name, too */
		if (!known || (code > 0 && find_row(&c->named, code)))
			known |= add_extended(c, code, records);
		is_known = is_known && known;
		if (!text[n])
			return is_known;
		text += n + 1;
	}
}

/* Add the name of R's result code. */
static void
name_result(const struct codes *codes, struct json *r)
{
	_cleanup_json_ struct json code = json_get(*r, "resultCode"), found = JSON_ABSENT, first = JSON_ABSENT;
	_cleanup_buf_ struct buf text = BUF_INIT;

	json_get_spelling(code, &text);
	if (codes_explain(codes, text.s, &found) > 0)
		first = json_at(found, 0);
	if (json_is_object(first) && json_get_text(first, "name"))
		json_set_text(r, "resultName", json_get_text(first, "name"));
}

void
codes_name_results(struct json *record)
{
	_cleanup_json_ struct json results = json_get(*record, "results");
	struct codes *codes = NULL;
	struct json named;
	struct fail f;

	if (json_count(results) == 0 || codes_load(&codes, &f) < 0)
		return;
	named = json_array();
	for (size_t i = 0; i < json_count(results); i++) {
		struct json r = json_at(results, i);

		name_result(codes, &r);
		json_append(&named, r);
	}
	json_set(record, "results", named);
	codes_free(codes);
}
