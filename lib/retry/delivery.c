#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "retry/delivery.h"

void
delivery_format(const struct delivery *d, struct buf *out)
{
	char now[CLOCK_TEXT];

	buf_printf(out, "time=%s\nat=%" PRId64 "\nincarnation=%s\ntarget=%" PRId64 "\n",
	    clock_now(now), d->at_ms, d->incarnation, d->target);
}

void
delivery_parse(const char *text, size_t len, struct delivery *d)
{
	_cleanup_free_ char *copy = xstrndup(text, len);
	char *rest = copy, *line, *value;

	*d = (struct delivery){ 0 };
	while ((line = strsep(&rest, "\n"))) {
		value = strchr(line, '=');
		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(line, "incarnation") == 0)
			snprintf(d->incarnation, sizeof d->incarnation, "%s", value);
		else if (strcmp(line, "at") == 0)
			(void)num_parse(value, 0, INT64_MAX, &d->at_ms);
		else if (strcmp(line, "target") == 0)
			(void)num_parse(value, 0, INT64_MAX, &d->target);
	}
}
