#include "task/backlog.h"

enum { WORTH_BYTES = 1 << 20, EACH_MS = 2000 };

static void
backlog_report(const struct backlog *b, const struct taskevent_sink *events)
{
	struct json v = taskevent_new("backlog");

	json_set(&v, "bytes", json_number((double)b->bytes));
	json_set(&v, "fetched", json_number((double)b->fetched));
	if (b->fetched == 0)
		taskevent_report(events, v, "fetching %.1f MiB of output", (double)b->bytes / WORTH_BYTES);
	else
		taskevent_report(events, v, "%.1f of %.1f MiB fetched", (double)b->fetched / WORTH_BYTES,
		    (double)b->bytes / WORTH_BYTES);
}

void
backlog_begin(struct backlog *b, int64_t bytes, const struct taskevent_sink *events, int64_t now)
{
	*b = (struct backlog){ .bytes = bytes < WORTH_BYTES ? 0 : bytes, .due_ms = now + EACH_MS };
	if (b->bytes)
		backlog_report(b, events);
}

void
backlog_add(struct backlog *b, int64_t n, const struct taskevent_sink *events, int64_t now)
{
	const bool all = b->fetched + n >= b->bytes;

	if (b->bytes == 0)
		return;
	b->fetched = all ? b->bytes : b->fetched + n;
	if (all || now >= b->due_ms) {
		backlog_report(b, events);
		b->due_ms = now + EACH_MS;
	}
	if (all)
		b->bytes = 0;
}
