#include <string.h>

#include "base/num.h"
#include "base/sse.h"

static const char bom[] = "\xef\xbb\xbf";

void
sse_init(struct sse *s, size_t max, sse_fn *fn, void *cookie)
{
	*s = (struct sse){ .line = BUF_INIT, .name = BUF_INIT, .data = BUF_INIT,
	    .next_id = BUF_INIT, .id = BUF_INIT, .max = max,
	    .retry_ms = -1, .fn = fn, .cookie = cookie };
}

void
sse_release(struct sse *s)
{
	buf_release(&s->line);
	buf_release(&s->name);
	buf_release(&s->data);
	buf_release(&s->next_id);
	buf_release(&s->id);
}

static void
forget_event(struct sse *s)
{
	buf_reset(&s->name);
	buf_reset(&s->data);
	s->cut = s->has_data = s->own_id = false;
}

static void
copy_id(struct buf *to, const struct buf *from)
{
	buf_reset(to);
	buf_add(to, from->s, from->len);
}

void
sse_restart(struct sse *s)
{
	forget_event(s);
	buf_reset(&s->line);
	copy_id(&s->next_id, &s->id);
	s->begun = s->after_cr = false;
	s->bom = 0;
}

/* As much of it as there is room for. */
static void
field_append(struct sse *s, struct buf *b, const char *p, size_t n)
{
	size_t room = b->len < s->max ? s->max - b->len : 0;

	if (n > room)
		s->cut = true;
	buf_add(b, p, n < room ? n : room);
}

/* The id counts from here on, not before: an event that is torn off must come again. */
static int
event_dispatch(struct sse *s)
{
	struct sse_event e = { .name = s->name.len ? s->name.s : "message", .data = s->data.s, .len = s->data.len,
	    .own_id = s->own_id, .cut = s->cut };
	int r;

	if (s->own_id)
		copy_id(&s->id, &s->next_id);
	e.id = s->id.s;
	r = s->has_data ? s->fn(&e, s->cookie) : 0;
	forget_event(s);
	return r;
}

static void
set_field(struct sse *s, const char *field, size_t n, const char *value, size_t len)
{
	if (n == 4 && memcmp(field, "data", 4) == 0) {
		if (s->has_data)
			field_append(s, &s->data, "\n", 1);
		s->has_data = true;
		field_append(s, &s->data, value, len);
	} else if (n == 5 && memcmp(field, "event", 5) == 0) {
		buf_reset(&s->name);
		if (!memchr(value, '\0', len))
			buf_add(&s->name, value, len);
	} else if (n == 2 && memcmp(field, "id", 2) == 0 && !memchr(value, '\0', len)) {
		buf_reset(&s->next_id);
		buf_add(&s->next_id, value, len);
		s->own_id = true;
	} else if (n == 5 && memcmp(field, "retry", 5) == 0 && strlen(value) == len) {
		(void)num_parse(value, 0, INT32_MAX, &s->retry_ms);
	}
}

static int
end_line(struct sse *s)
{
	const char *colon = memchr(s->line.s, ':', s->line.len), *value;
	size_t n = colon ? (size_t)(colon - s->line.s) : s->line.len;
	int r = 0;

	if (s->line.len == 0)
		r = event_dispatch(s);
	else if (n == 0)
		s->comments++;
	else {
		value = colon ? colon + 1 : s->line.s + s->line.len;
		value += *value == ' ' && value < s->line.s + s->line.len;
		set_field(s, s->line.s, n, value, (size_t)(s->line.s + s->line.len - value));
	}
	buf_reset(&s->line);
	return r;
}

/* Drop the mark at the start; what only looked like one is put back. */
static void
skip_mark(struct sse *s, const char **p, const char *end)
{
	while (!s->begun && *p < end) {
		if (**p == bom[s->bom] && ++s->bom < 3) {
			(*p)++;
			continue;
		}
		if (s->bom == 3)
			(*p)++;
		else
			buf_add(&s->line, bom, s->bom);
		s->begun = true;
	}
}

int
sse_feed(struct sse *s, const char *p, size_t n)
{
	const char *end = p + n;
	int r = 0;

	skip_mark(s, &p, end);
	while (p < end && r == 0) {
		size_t run = 0;

		if (s->after_cr && *p == '\n') {
			s->after_cr = false;
			p++;
			continue;
		}
		s->after_cr = false;
		while (p + run < end && p[run] != '\n' && p[run] != '\r')
			run++;
		field_append(s, &s->line, p, run);
		p += run;
		if (p == end)
			break;
		s->after_cr = *p++ == '\r';
		r = end_line(s);
	}
	return r;
}
