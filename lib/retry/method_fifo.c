#include <errno.h>
#include <stdbool.h>

#include "agent/fifo.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/io.h"
#include "retry/frame.h"
#include "retry/method.h"

/* One attempt; -EPIPE: the reader went between our open and our write. */
static int
try_fifo(const struct profile *p, const struct buf *frame, int64_t end_ms,
    const struct delivery *last, struct delivery *d, struct fail *f)
{
	_cleanup_fd_ int fd = fifo_open(p, f);

	if (fd < 0)
		return fd;
	retry_method_set_target(p, fifo_unread(fd), last, d);
	return fifo_send(fd, p, frame, end_ms, f);
}

static int
send_fifo(const struct profile *p, int64_t end_ms, const struct delivery *last,
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
describe_fifo(const struct profile *p, struct buf *out, struct fail *f)
{
	const struct profile_retry *how = &p->retry;
	int fd = fifo_open(p, f), r = fd < 0 ? fd : 0;

	buf_printf(out, "method\tfifo\npath\t%s\nframe\t", how->path);
	if (how->frame == FRAME_BYTE)
		buf_printf(out, "byte %02x\n", how->byte);
	else
		buf_printf(out, "%s %s\n", how->frame == FRAME_LINE ? "line" : "adu64", how->command);
	buf_printf(out, "reader\t%s\n", fd < 0 ? f->text : "yes");
	io_closep(&fd);
	return r;
}

const struct retry_method retry_method_fifo = { send_fifo, describe_fifo };
