#include <string.h>

#include "record/format.h"
#include "record/merged.h"
#include "record/time.h"

enum { PREFIX_MAX = 256 };

struct span
merged_emitter(struct span text)
{
	struct span v = { NULL, 0 };
	const char *bar;

	if (text.n && *text.p == '{') {
		format_member(text, "source", &v);
		return v;
	}
	bar = text.n ? memchr(text.p, '|', text.n < PREFIX_MAX ? text.n : PREFIX_MAX) : NULL;
	if (!bar || bar == text.p || bar[-1] != ' ')
		return v;
	v = (struct span){ text.p, (size_t)(bar - text.p) };
	while (v.n && v.p[v.n - 1] == ' ')
		v.n--;
	return v;
}

bool
merged_watermark(struct span text, int64_t *ns)
{
	static const char begin[] = "{\"watermark\":\"";
	const size_t n = sizeof begin - 1;
	struct time_ctx c;
	struct stamp t;

	if (text.n <= n || memcmp(text.p, begin, n) != 0)
		return false;
	time_init(&c, TIME_SET(TIME_RFC3339), NULL, 0);
	if (!time_parse(&c, text.p + n, text.n - n, &t))
		return false;
	*ns = t.ns;
	return true;
}
