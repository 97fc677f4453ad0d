/* Times of RFC 3339, read. */
#include <stdio.h>

#include "base/clock.h"

int
main(void)
{
	static const struct { const char *text; int64_t ms; } t[] = {
		{ "1970-01-01T00:00:00Z", 0 }, { "1970-01-01T00:00:01.5Z", 1500 }, { "1970-01-01T00:00:01.234567Z", 1234 },
		{ "1970-01-01T00:00:01.00999Z", 1009 }, { "1970-01-01T01:00:00+01:00", 0 }, { "1969-12-31T18:30:00-05:30", 0 },
		{ "2026-11-29T17:30:00z", INT64_C(1795973400000) }, { "1969-12-31T23:59:59Z", -1000 },
	};
	static const char *const wrong[] = { "", "x", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01T00:00:00.Z",
		"1970-01-01T00:00:00Zx", "1970-01-01T00:00:00+1", "1970-01-01T00:00:00+01:0x", "1970-01-01T00:00:00+01 00",
		"1970-13-01T00:00:00Z", "1970-01-01T00:00:00+01:00:00" };
	int failed = 0;
	int64_t ms;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		if (clock_parse(t[i].text, &ms) < 0 || ms != t[i].ms) {
			printf("%s: not %jd\n", t[i].text, (intmax_t)t[i].ms);
			failed = 1;
		}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (clock_parse(wrong[i], &ms) == 0) {
			printf("%s: is a time\n", wrong[i]);
			failed = 1;
		}
	return failed;
}
