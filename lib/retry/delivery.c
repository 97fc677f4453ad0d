#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "agent/fifo.h"
#include "agent/process.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/num.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "retry/delivery.h"
#include "retry/frame.h"
#include "retry/http_request.h"

enum { GRACE_MS = 2000, SAYS_WITHIN_MS = 5000 };

/*
 * Requests that the agent has taken before ours, those waiting in its pipe
 * included.  It reads a request before it says so: LAST, delivered just before,
 * may be in neither, and is counted here.
 */
static void
note_before(const struct profile *p, int unread, const struct delivery *last, struct delivery *d)
{
	struct status s;
	struct fail f;

	*d = (struct delivery){ .at_ms = clock_mono_ms() };
	if (p->status.method != STATUS_FILE || status_read(p, &s, &f) < 0 || s.running != 1)
		return;
	strcpy(d->incarnation, s.incarnation);
	d->target = s.retries + (unread > 0 ? unread / FRAME_SIZE : 0) + 1;
	if (d->target <= last->target && strcmp(d->incarnation, last->incarnation) == 0 &&
	    d->at_ms - last->at_ms < SAYS_WITHIN_MS)
		d->target = last->target + 1;
}

/* One try; -EPIPE: the reader went between our open and our write. */
static int
try_fifo(const struct profile *p, const struct buf *frame, int64_t end_ms,
    const struct delivery *last, struct delivery *d, struct fail *f)
{
	_cleanup_fd_ int fd = fifo_open(p, f);

	if (fd < 0)
		return fd;
	note_before(p, fifo_unread(fd), last, d);
	return fifo_send(fd, p, frame, end_ms, f);
}

static int
delivery_fifo(const struct profile *p, int64_t end_ms, const struct delivery *last,
    struct delivery *d, struct fail *f)
{
	_cleanup_buf_ struct buf frame = BUF_INIT;
	struct backoff again = { 0 };
	int64_t left, pause = 0;	/* at first at once: the agent reopens within the same ms */
	int r;

	frame_format(&p->retry, &frame);
	for (;;) {
		r = try_fifo(p, &frame, end_ms, last, d, f);
		if (r != -EPIPE)
			return r;
		left = end_ms - clock_mono_ms();
		if (left <= 0)
			return fail_set(f, EXIT_TIMEOUT, "%s: its reader left each time",
			    p->retry.path);
		clock_sleep_ms(pause < left ? pause : left);
		pause = backoff_next(&again);
	}
}

static int
delivery_exec(const struct profile *p, int64_t end_ms, const struct delivery *last,
    struct delivery *d, struct fail *f)
{
	const int64_t left = end_ms - clock_mono_ms();
	const struct spawn_spec spec = { .argv = p->retry.argv, .timeout_ms = left > 0 ? left : 1,
	    .grace_ms = GRACE_MS, .err_inherit = true };
	_cleanup_buf_ struct buf what = BUF_INIT;
	struct spawn_result r;
	int e = 0;

	note_before(p, 0, last, d);
	spawn_run(&spec, &r);
	d->status = r.status;
	if (r.status != 0) {
		spawn_describe(&r, &what);
		e = fail_set(f, r.timed_out ? EXIT_TIMEOUT : r.error ? EXIT_TROUBLE : EXIT_NO,
		    "%s: %s", p->retry.argv[0], what.s);
	}
	buf_release(&r.out);
	buf_release(&r.err);
	return e;
}

static int
delivery_http(const struct profile *p, int64_t end_ms, const struct delivery *last, struct delivery *d,
    struct fail *f)
{
	const int64_t left = end_ms - clock_mono_ms();

	note_before(p, 0, last, d);
	return http_request_delegate(&p->retry.http, left > 0 ? left : 1, f);
}

/* The pidfd comes first: what is looked at afterwards is then what is signalled. */
static int
delivery_signal(const struct profile *p, const struct delivery *last, struct delivery *d,
    struct fail *f)
{
	_cleanup_fd_ int fd = -1;
	pid_t pid = 0;
	int r = process_find(p, p->retry.pid_file, &pid, f);

	if (r < 0)
		return r;
	fd = pidfd_open(pid, 0);
	if (fd < 0 && errno != ESRCH)
		return fail_errno(f, errno, "process %jd", (intmax_t)pid);
	if (fd >= 0 && p->retry.exe) {
		r = process_check_exe(pid, p->retry.exe, f);
		if (r < 0 && r != -ENOENT && r != -ESRCH)
			return r;
	}
	note_before(p, 0, last, d);
	if (fd >= 0 && r == 0 && pidfd_send_signal(fd, p->retry.signo, NULL, 0) == 0)
		return 0;
	if (fd < 0 || r < 0 || errno == ESRCH)
		return fail_set(f, EXIT_ABSENT, "%s: not running: there is no process %jd", p->name,
		    (intmax_t)pid);
	return fail_errno(f, errno, "%s: process %jd", p->name, (intmax_t)pid);
}

int
delivery_send(const struct profile *p, int64_t end_ms, struct delivery *d, struct fail *f)
{
	const struct delivery last = *d;

	*d = (struct delivery){ 0 };
	switch (p->retry.method) {
	case RETRY_FIFO:
		return delivery_fifo(p, end_ms, &last, d, f);
	case RETRY_EXEC:
		return delivery_exec(p, end_ms, &last, d, f);
	case RETRY_SIGNAL:
		return delivery_signal(p, &last, d, f);
	case RETRY_HTTP:
		return delivery_http(p, end_ms, &last, d, f);
	case RETRY_NONE:
		break;
	}
	return fail_set(f, EXIT_USAGE, "%s: its profile has no [retry]", p->file);
}

static int
describe_fifo(const struct profile *p, struct buf *out, struct fail *f)
{
	const struct profile_retry *how = &p->retry;
	int fd = fifo_open(p, f);

	buf_printf(out, "method\tfifo\npath\t%s\nframe\t", how->path);
	if (how->frame == FRAME_BYTE)
		buf_printf(out, "byte %02x\n", how->byte);
	else
		buf_printf(out, "%s %s\n", how->frame == FRAME_LINE ? "line" : "adu64", how->command);
	buf_printf(out, "reader\t%s\n", fd < 0 ? f->text : "yes");
	io_closep(&fd);
	return fd < 0 ? fd : 0;
}

int
delivery_describe(const struct profile *p, struct buf *out, struct fail *f)
{
	switch (p->retry.method) {
	case RETRY_FIFO:
		return describe_fifo(p, out, f);
	case RETRY_EXEC:
		buf_puts(out, "method\texec\n");
		for (char **a = p->retry.argv; *a; a++)
			buf_printf(out, "argv\t%s\n", *a);
		return 0;
	case RETRY_SIGNAL:
		buf_printf(out, "method\tsignal\nsignal\tSIG%s\nprocess\t%s\n",
		    sigabbrev_np(p->retry.signo), p->retry.pid_file ? p->retry.pid_file : p->unit);
		return 0;
	case RETRY_HTTP:
		buf_printf(out, "method\thttp\nrequest\t%s\nurl\t%.*s\n", p->retry.http.request ?
		    p->retry.http.request : "POST", (int)strcspn(p->retry.http.url, "?#"), p->retry.http.url);
		return 0;
	case RETRY_NONE:
		break;
	}
	buf_puts(out, "method\tnone\n");
	return fail_set(f, EXIT_USAGE, "%s: its profile has no [retry]", p->file);
}

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
