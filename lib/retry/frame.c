#include <errno.h>
#include <string.h>

#include "retry/frame.h"

void
frame_format(const struct profile_retry *r, struct buf *out)
{
	buf_reset(out);
	switch (r->frame) {
	case FRAME_ADU64:
		buf_puts(out, r->command);
		while (out->len < FRAME_SIZE)
			buf_putc(out, '\0');
		break;
	case FRAME_BYTE:
		buf_putc(out, (char)r->byte);
		break;
	case FRAME_LINE:
		buf_printf(out, "%s\n", r->command);
		break;
	}
}

/* Remove the first N bytes of the buffer. */
static void
drop_bytes(struct frame_reader *r, size_t n)
{
	r->len -= n;
	memmove(r->b, r->b + n, r->len);
}

/* NULs before a frame are the padding of a frame that began in the wrong place. */
static void
skip_padding(struct frame_reader *r)
{
	size_t n = 0;

	while (n < r->len && !r->b[n])
		n++;
	drop_bytes(r, n);
}

/* The length of the first frame with its padding, 0 while it is not known. */
static size_t
frame_end(const struct frame_reader *r)
{
	size_t end = strnlen(r->b, r->len);

	while (end < r->len && !r->b[end])
		end++;
	return end < r->len || r->len == FRAME_SIZE ? end : 0;
}

int
frame_next(struct frame_reader *r, const char **p, size_t *n, char command[FRAME_SIZE])
{
	for (;;) {
		size_t take = FRAME_SIZE - r->len < *n ? FRAME_SIZE - r->len : *n;
		size_t end;

		memcpy(r->b + r->len, *p, take);
		r->len += take;
		*p += take;
		*n -= take;
		skip_padding(r);
		end = frame_end(r);
		if (end > 0 && memchr(r->b, '\0', end)) {
			strcpy(command, r->b);
			drop_bytes(r, end);
			return 1;
		}
		if (r->len == FRAME_SIZE) {
			r->len = 0;
			return -EBADMSG;
		}
		if (*n == 0)
			return 0;
	}
}

size_t
frame_drop(struct frame_reader *r, char command[FRAME_SIZE])
{
	size_t len = r->len, n = strnlen(r->b, len);

	if (n >= FRAME_SIZE)
		n = FRAME_SIZE - 1;
	memcpy(command, r->b, n);
	command[n] = '\0';
	r->len = 0;
	return len;
}

bool
frame_asks(const char *command, const char *name)
{
	size_t c = strlen(command), n = strlen(name);

	return c >= n && strcmp(command + c - n, name) == 0;
}

/* The index of COMMAND among NAMES; -1 where it is none of them. */
static int
index_of(const char *command, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (frame_asks(command, names[i]))
			return i;
	return -1;
}

/*
 * The name in COMMAND, "NAMED NAME", perhaps after a short frame that ran into it; else NULL.  *WHICH is
 * the place of NAMED among H's.
 */
static const char *
command_name(const char *command, const struct frame_haul *h, size_t *which)
{
	for (size_t i = 0; i < FRAME_NAMED; i++) {
		const char *named = h->named ? h->named_commands[i] : NULL, *at = named ? strstr(command, named) : NULL;

		if (!at)
			continue;
		at += strlen(named);
		if (at[0] == ' ' && at[1]) {
			*which = i;
			return at + 1;
		}
	}
	return NULL;
}

void
frame_sort(struct frame_reader *r, const char *p, size_t n, const char *const *names,
    struct frame_haul *h)
{
	char command[FRAME_SIZE];
	int found;

	while ((found = frame_next(r, &p, &n, command)) != 0) {
		size_t which = 0;
		const char *name = found > 0 ? command_name(command, h, &which) : NULL;
		int i = found > 0 && !name ? index_of(command, names) : -1;

		if (name)
			h->named(which, name, h->cookie);
		else if (i >= 0)
			h->asked++;
		else if (h->ignored++ == 0)
			strcpy(h->sample, found > 0 ? command : "");
		h->again += i > 0;
	}
}
