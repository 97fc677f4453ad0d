#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "task/taskcursor.h"

enum { BASE = 36, NUMBER_MAX = 16 };

void
taskcursor_release(struct taskcursor *c)
{
	free(c->items);
	*c = (struct taskcursor){ NULL, 0, 0 };
}

static void
append_item(struct taskcursor *c, const struct taskcursor_item *i)
{
	c->items = xgrow(c->items, c->n, &c->cap, sizeof *c->items);
	c->items[c->n++] = *i;
}

/* The number at *P, which is moved behind it; at least one digit. */
static bool
parse_number(const char **p, int64_t *out)
{
	const char *begin = *p;

	for (*out = 0; (**p >= '0' && **p <= '9') || (**p >= 'a' && **p <= 'z'); ++*p)
		if (__builtin_mul_overflow(*out, BASE, out) ||
		    __builtin_add_overflow(*out, **p <= '9' ? **p - '0' : **p - 'a' + 10, out))
			return false;
	return *p > begin;
}

static bool
parse_item(const char **p, int64_t before, struct taskcursor_item *i)
{
	int64_t delta;

	*i = (struct taskcursor_item){ .id = 0 };
	if (!parse_number(p, &delta) || delta == 0 || __builtin_add_overflow(before, delta, &i->id))
		return false;
	i->over = **p == '-';
	if (i->over) {
		++*p;
		return true;
	}
	for (int k = 0; k < 2 && **p == '.'; k++) {
		++*p;
		if (!parse_number(p, &i->at[k]))
			return false;
	}
	return true;
}

int
taskcursor_parse(const char *text, struct taskcursor *c)
{
	const char *p = text;
	struct taskcursor_item i = { .id = 0 };

	*c = (struct taskcursor){ NULL, 0, 0 };
	while (*p) {
		if ((p > text && *p++ != ',') || !parse_item(&p, i.id, &i)) {
			taskcursor_release(c);
			return -EBADMSG;
		}
		append_item(c, &i);
	}
	return 0;
}

static void
format_number(struct buf *b, int64_t n)
{
	char digits[NUMBER_MAX];
	int at = NUMBER_MAX;

	do {
		digits[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[n % BASE];
		n /= BASE;
	} while (n > 0);
	buf_add(b, digits + at, (size_t)(NUMBER_MAX - at));
}

bool
taskcursor_add(struct taskcursor *c, const struct taskcursor_item *i, struct buf *text)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (c->n > 0)
		buf_putc(&b, ',');
	format_number(&b, i->id - (c->n > 0 ? c->items[c->n - 1].id : 0));
	if (i->over)
		buf_putc(&b, '-');
	for (int k = 0; k < 2 && !i->over && (i->at[k] > 0 || i->at[1] > 0); k++) {
		buf_putc(&b, '.');
		format_number(&b, i->at[k]);
	}
	if (text->len + b.len > TASKCURSOR_MAX)
		return false;
	buf_add(text, b.s, b.len);
	append_item(c, i);
	return true;
}

const struct taskcursor_item *
taskcursor_find(const struct taskcursor *c, int64_t id)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c->items[mid].id == id)
			return &c->items[mid];
		if (c->items[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}
