#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void
grows(void)
{
	struct buf b = BUF_INIT;
	char *s;

	assert(b.s[0] == '\0');
	for (int i = 0; i < 100000; i++)
		assert(buf_putc(&b, (char)('a' + i % 26)) == 0);
	assert(b.len == 100000 && strlen(b.s) == 100000 && b.s[99999] == 'a' + 99999 % 26);
	buf_reset(&b);
	assert(b.len == 0 && b.s[0] == '\0' && b.cap > 0);
	assert(buf_printf(&b, "%d-%s", 7, "x") == 0 && strcmp(b.s, "7-x") == 0);
	assert(buf_add(&b, "\0y", 2) == 0 && b.len == 5 && memcmp(b.s, "7-x\0y", 6) == 0);
	s = buf_steal(&b);
	assert(memcmp(s, "7-x\0y", 6) == 0 && b.s == buf_empty && b.len == 0);
	free(s);
	s = buf_steal(&b);	/* of an empty one: a string of its own */
	assert(*s == '\0' && s != buf_empty);
	free(s);
	buf_release(&b);
	buf_release(&b);
}

static void
keeps_its_maximum(void)
{
	struct buf b = BUF_MAX(10);

	assert(buf_puts(&b, "12345678") == 0);
	assert(buf_puts(&b, "901") == -EMSGSIZE && strcmp(b.s, "12345678") == 0);
	assert(buf_printf(&b, "%s", "901") == -EMSGSIZE && strcmp(b.s, "12345678") == 0);
	assert(buf_puts(&b, "90") == 0 && b.len == 10);
	assert(buf_putc(&b, 'x') == -EMSGSIZE && buf_reserve(&b, 1) == -EMSGSIZE);
	assert(buf_add(&b, "", 0) == 0 && strcmp(b.s, "1234567890") == 0);
	buf_release(&b);
}

int
main(void)
{
	grows();
	keeps_its_maximum();
	return 0;
}
