#include <inttypes.h>
#include <time.h>

#include "base/ago.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, DATE_S = 30 * DAY_S };

bool
ago_format(const char *text, int64_t now_s, struct buf *out)
{
	static const struct { int64_t below, unit; const char *name; } units[] = {
		{ 2 * MINUTE_S, 1, "s" }, { 2 * HOUR_S, MINUTE_S, "min" }, { 2 * DAY_S, HOUR_S, "h" }, { DATE_S, DAY_S, "d" },
	};
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t distance;

	if (!rest || (*rest != 'Z' && *rest != '.')) {
		buf_puts(out, text);
		return false;
	}
	distance = now_s - (int64_t)timegm(&tm);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		const int64_t n = distance < 0 ? -distance : distance;

		if (n >= units[i].below)
			continue;
		buf_printf(out, distance < 0 ? "in %" PRId64 " %s" : "%" PRId64 " %s ago", n / units[i].unit, units[i].name);
		return true;
	}
	buf_printf(out, "%.10s", text);
	return true;
}
