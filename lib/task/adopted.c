#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "task/adopted.h"
#include "task/historyfile.h"

enum { ADOPTED_FILE_MAX = 16384 };

int
adopted_load(const char *path, struct adopted *a, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT, others = JSON_ABSENT;
	int r = json_load(path, FILE_NOFOLLOW, ADOPTED_FILE_MAX, &v, f);

	*a = (struct adopted){ .n = 0 };
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		f->status = EXIT_TROUBLE;	/* it is a file of ours, also where it is no JSON */
		return r;
	}
	a->marks[a->n++] = (struct adopted_mark){ json_get_positive(v, "store"), json_get_positive(v, "history") };
	a->bytes = json_get_positive(v, "bytes");
	a->before = json_get_positive(v, "before");
	others = json_get(v, "others");
	for (size_t i = 0; i < json_count(others) && a->n < ADOPTED_STORES; i++) {
		_cleanup_json_ struct json item = json_at(others, i);

		a->marks[a->n++] = (struct adopted_mark){ json_get_positive(item, "store"), json_get_positive(item, "history") };
	}
	return 0;
}

void
adopted_format(const struct adopted *a, struct buf *out)
{
	buf_printf(out, "{\"history\":%jd,\"bytes\":%jd,\"store\":%jd,\"before\":%jd,\"others\":[",
	    (intmax_t)a->marks[0].history, (intmax_t)a->bytes, (intmax_t)a->marks[0].store, (intmax_t)a->before);
	for (size_t i = 1; i < a->n; i++)
		buf_printf(out, "%s{\"store\":%jd,\"history\":%jd}", i > 1 ? "," : "", (intmax_t)a->marks[i].store,
		    (intmax_t)a->marks[i].history);
	buf_puts(out, "]}\n");
}

struct adopted_mark *
adopted_of(struct adopted *a, int64_t store)
{
	struct adopted_mark mark = { store, 0 };
	size_t i = 0;

	while (i < a->n && a->marks[i].store != store)
		i++;
	if (i < a->n)
		mark = a->marks[i];
	else if (a->n < ADOPTED_STORES)
		a->n++;
	else if (a->marks[--i].history > a->before)
		a->before = a->marks[i].history;
	memmove(a->marks + 1, a->marks, i * sizeof *a->marks);
	a->marks[0] = mark;
	return a->marks;
}

/* A record up to this one may have been taken without the mark of its store. */
static int64_t
doubtful_until(const struct adopted *a)
{
	int64_t last = a->before;

	for (size_t i = 1; i < a->n; i++)
		if (a->marks[i].history > last)
			last = a->marks[i].history;
	return last;
}

struct adopted_record {
	const char *text;
	size_t len;
	int64_t id;
	bool is_gap;		/* it says that records up to its id were dropped */
	bool is_known;
};

struct adopted_records {
	struct adopted_record *items;
	size_t n, cap;
};

/* The records of TEXT with an id over AFTER. */
static void
parse_records(const char *text, size_t len, int64_t after, struct adopted_records *out)
{
	const char *end = text + len, *p = text, *nl;

	for (; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
		_cleanup_json_ struct json v = JSON_ABSENT;
		const char *event;
		struct fail f;
		int64_t id;

		if (json_parse(NULL, p, (size_t)(nl - p), &v, &f) < 0)
			continue;
		id = json_get_positive(v, "id");
		if (id <= after)
			continue;
		event = json_get_text(v, "event");
		out->items = xgrow(out->items, out->n, &out->cap, sizeof *out->items);
		out->items[out->n++] = (struct adopted_record){
			.text = p, .len = (size_t)(nl + 1 - p), .id = id, .is_gap = event && strcmp(event, "dropped") == 0,
		};
		after = id;
	}
}

static int
compare_id(const void *key, const void *item)
{
	const int64_t id = *(const int64_t *)key, other = ((const struct adopted_record *)item)->id;

	return (id > other) - (id < other);
}

/* Two stores may give the same id: a record is the same one where its text is. */
static int
mark_known(const struct history_line *l, void *cookie)
{
	struct adopted_records *r = cookie;
	struct adopted_record *i = bsearch(&l->id, r->items, r->n, sizeof *r->items, compare_id);

	if (i && (i->is_gap || (i->len == l->len && memcmp(i->text, l->text, l->len) == 0)))
		i->is_known = true;
	return 0;
}

int
adopted_select(struct adopted *a, const char *history, const char *text, size_t len, struct buf *out)
{
	struct adopted_records records = { NULL, 0, 0 };
	int r = 0;

	parse_records(text, len, a->marks[0].history, &records);
	if (records.n > 0 && records.items[0].id <= doubtful_until(a))
		r = historyfile_each(history, 0, mark_known, &records);
	for (size_t i = 0; r == 0 && i < records.n; i++) {
		if (!records.items[i].is_known)
			buf_add(out, records.items[i].text, records.items[i].len);
		a->marks[0].history = records.items[i].id;
	}
	free(records.items);
	return r;
}
