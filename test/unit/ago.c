/* Times as a person says them. */
#include <stdio.h>
#include <string.h>

#include "base/ago.h"

int
main(void)
{
	static const struct { const char *text; int64_t after; const char *want; bool is_time; } t[] = {
		{ "1970-01-01T00:00:00Z", 0, "0 s ago", true }, { "1970-01-01T00:00:00.999Z", 119, "119 s ago", true },
		{ "1970-01-01T00:00:00Z", 120, "2 min ago", true }, { "1970-01-01T00:00:00Z", 7199, "119 min ago", true },
		{ "1970-01-01T00:00:00Z", 7200, "2 h ago", true }, { "1970-01-01T00:00:00Z", 172799, "47 h ago", true },
		{ "1970-01-01T00:00:00Z", 172800, "2 d ago", true }, { "1970-01-01T00:00:00Z", 2591999, "29 d ago", true },
		{ "1970-01-01T00:00:00Z", 2592000, "1970-01-01", true }, { "1970-01-01T00:00:10Z", 5, "in 5 s", true },
		{ "1970-01-01T01:00:00Z", 0, "in 60 min", true }, { "2300-01-01T00:00:00Z", 0, "2300-01-01", true },
		{ "", 0, "", false }, { "soon", 0, "soon", false }, { "1970-01-01T00:00:00+01:00", 0, "1970-01-01T00:00:00+01:00", false },
		{ "1970-13-01T00:00:00Z", 0, "1970-13-01T00:00:00Z", false },
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		_cleanup_buf_ struct buf out = BUF_INIT;

		if (ago_format(t[i].text, t[i].after, &out) == t[i].is_time && strcmp(out.s, t[i].want) == 0)
			continue;
		printf("%s after %jd s: '%s', not '%s'\n", t[i].text, (intmax_t)t[i].after, out.s, t[i].want);
		failed = 1;
	}
	return failed;
}
