#include <string.h>

#include "agent/status.h"
#include "agent/status_method.h"
#include "base/clock.h"
#include "retry/frame.h"
#include "retry/method.h"

/* An agent's counter shows a request within this time after the request was read. */
enum { COUNTED_WITHIN_MS = 5000 };

/*
 * An agent reads a request before its counter shows it: LAST, delivered just
 * before, may be counted nowhere yet, so it is counted here.
 */
static void
set_counted_target(const struct profile *p, int unread, const struct delivery *last, struct delivery *d)
{
	struct status s;
	struct fail f;

	if (status_read(p, &s, &f) < 0 || s.running != 1)
		return;
	strcpy(d->incarnation, s.incarnation);
	d->target = s.retries + (unread > 0 ? unread / FRAME_SIZE : 0) + 1;
	if (d->target <= last->target && strcmp(d->incarnation, last->incarnation) == 0 &&
	    d->at_ms - last->at_ms < COUNTED_WITHIN_MS)
		d->target = last->target + 1;
}

/* Apart from the above, whose frame takes two pages of the stack. */
void
retry_method_set_target(const struct profile *p, int unread, const struct delivery *last, struct delivery *d)
{
	*d = (struct delivery){ .at_ms = clock_mono_ms() };
	if (status_method_find(p)->counts_retries)
		set_counted_target(p, unread, last, d);
}

static int
send_none(const struct profile *p, int64_t end_ms, const struct delivery *last, struct delivery *d,
    struct fail *f)
{
	(void)end_ms;
	(void)last;
	(void)d;
	return fail_set(f, EXIT_USAGE, "%s: its profile has no [retry]", p->file);
}

static int
describe_none(const struct profile *p, struct buf *out, struct fail *f)
{
	buf_puts(out, "method\tnone\n");
	return fail_set(f, EXIT_USAGE, "%s: its profile has no [retry]", p->file);
}

static const struct retry_method retry_method_none = { send_none, describe_none };

const struct retry_method *
retry_method_find(const struct profile *p)
{
	static const struct retry_method *const methods[] = {
		[RETRY_NONE] = &retry_method_none, [RETRY_FIFO] = &retry_method_fifo,
		[RETRY_EXEC] = &retry_method_exec, [RETRY_SIGNAL] = &retry_method_signal,
		[RETRY_HTTP] = &retry_method_http,
	};

	return methods[p->retry.method];
}
