#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "record/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A time takes no more bytes than there are, and the same text is the same time
 * whether the last one is remembered or not.
 */

/* What is remembered of one line's time does not change what the next one's is. */
static void
check_pair(uint32_t kind, const struct zone *zone, const char *text, size_t size)
{
	const char *nl = memchr(text, '\n', size), *next = nl ? nl + 1 : text;
	struct stamp a = { 0, 0 }, b = { 0, 0 };
	struct time_ctx c, fresh;
	size_t n, m, rest = size - (size_t)(next - text) + 64;

	time_init(&c, kind, zone, 1700000000);
	time_parse(&c, text, size, &a);
	/* A year that is missing is told from the stamp before; the short way is only for the text. */
	fresh = c;
	fresh.prefix_len = 0;
	n = time_parse(&c, next, rest, &a);
	m = time_parse(&fresh, next, rest, &b);
	assert(n == m && (n == 0 || (a.ns == b.ns && a.res == b.res)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct zone *zone;
	_cleanup_free_ char *text = xcalloc(size + 129, 1);
	int64_t ns;

	if (!zone && zone_open("+01:00", &zone) < 0)
		abort();
	memcpy(text, data, size);
	for (int k = 0; k < TIME_KINDS; k++) {
		struct stamp a = { 0, 0 }, b = { 0, 0 };
		struct time_ctx c;
		size_t n, m;

		time_init(&c, TIME_SET(k), zone, 1700000000);
		n = time_parse(&c, text, size, &a);
		assert(n <= size);
		m = time_parse(&c, text, size, &b);
		assert(n == m && (n == 0 || (a.ns == b.ns && a.res == b.res && a.res > 0)));
		/* With room behind it, as in a source's buffer, the short way is taken. */
		if (n && c.prefix_len && size >= c.prefix_len + c.digits + c.tail_len)
			assert(time_again(&c, text, &ns) ? ns == a.ns :
			    c.zone_may_follow || c.year_may_follow || c.half_may_follow);
		check_pair(TIME_SET(k), zone, text, size);
	}
	time_parse_text(text, zone, 1700000000, &ns);
	return 0;
}
