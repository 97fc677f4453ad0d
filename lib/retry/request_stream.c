#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#include "agent/reason.h"
#include "base/clock.h"
#include "base/lines.h"
#include "base/xalloc.h"
#include "retry/request_stream.h"

/* A burst that does not end is delivered after BURSTS_MAX times the debounce. */
enum { BURSTS_MAX = 10 };

/* The timeout for poll(2): none without a request, else until the input is quiet. */
static int
quiet_ms(const struct request_stream *s, bool requested, int64_t since_ms)
{
	int64_t left = since_ms + BURSTS_MAX * s->debounce_ms - clock_mono_ms();

	if (!requested)
		return -1;
	return (int)(left < 0 ? 0 : left < s->debounce_ms ? left : s->debounce_ms);
}

/* Record each whole line of L; is there a request now? */
static bool
lines_record(const struct request_stream *s, struct lines *l)
{
	char reason[REASON_MAX + 1];
	bool requested = false;
	const char *line;
	size_t len;

	while (lines_next(l, &line, &len)) {
		reason_of_line(line, len, reason);
		if (s->record(reason, s->cookie))
			requested = true;
	}
	return requested;
}

int
request_stream_run(const struct request_stream *s)
{
	_cleanup_free_ struct lines *l = xcalloc(1, sizeof *l);
	struct pollfd in = { .fd = s->fd, .events = POLLIN };
	int64_t since_ms = 0;
	bool requested = false;
	ssize_t n = 1;

	while (n > 0) {
		if (poll(&in, 1, quiet_ms(s, requested, since_ms)) == 0) {
			s->deliver(s->cookie);
			requested = false;
			continue;
		}
		n = lines_read(l, s->fd);
		if (n < 0)
			return (int)n;
		if (lines_record(s, l) && !requested) {
			since_ms = clock_mono_ms();
			requested = true;
		}
	}
	return requested;
}
