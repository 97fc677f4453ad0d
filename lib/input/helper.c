#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "input/helper.h"

enum { KNOWN_MAX_BYTES = 1 << 20 };

void
helper_init(struct helper *h)
{
	*h = (struct helper){ .loop = loop_new(), .out = BUF_INIT, .known = BUF_MAX(KNOWN_MAX_BYTES) };
}

void
helper_release(struct helper *h)
{
	loop_free(h->loop);
	buf_release(&h->out);
	buf_release(&h->known);
}

/* The reader has closed the pipe: there is nothing to report to it. */
static void
on_closed(int fd, short events, void *cookie)
{
	struct helper *h = cookie;

	(void)events;
	loop_unwatch(h->loop, fd);
	h->status = EXIT_OK;
	loop_stop(h->loop, 0);
}

void
helper_begin(struct helper *h)
{
	ssize_t n = 1;

	while (h->feed && (n = io_read_buf(STDIN_FILENO, &h->known)) > 0)
		;
	for (size_t i = 0; i < h->known.len; i++)
		if (h->known.s[i] == '\n')
			h->known.s[i] = '\0';
	if (h->feed) {		/* signals of the terminal reach the reader, too, and its end ends the helper */
		signal(SIGINT, SIG_IGN);
		signal(SIGQUIT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
	}
	signal(SIGPIPE, SIG_IGN);
	loop_watch(h->loop, STDOUT_FILENO, 0, on_closed, h);
}

const char *
helper_first(const struct helper *h)
{
	return h->known.len && *h->known.s ? h->known.s : NULL;
}

const char *
helper_next(const struct helper *h, const char *id)
{
	id += strlen(id) + 1;
	return id < h->known.s + h->known.len && *id ? id : NULL;
}

/* A reader that has left is no failure. */
static void
flush(struct helper *h)
{
	int r = h->status == EXIT_OK ? io_write_all(STDOUT_FILENO, h->out.s, h->out.len) : 0;

	buf_reset(&h->out);
	if (r < 0 && r != -EPIPE) {
		diag(r, "standard output");
		h->status = EXIT_TROUBLE;
	}
	if (r < 0)
		loop_stop(h->loop, 0);
}

void
helper_event(struct helper *h, const char *id, const char *text, size_t n)
{
	if (h->feed)
		protocol_event(&h->out, id, text, n);
	else {
		buf_add(&h->out, text, n);
		buf_putc(&h->out, '\n');
	}
	flush(h);
}

void
helper_gap(const char *why, void *cookie)
{
	struct helper *h = cookie;

	if (!h->feed) {
		diag_info("%s", why);
		return;
	}
	protocol_gap(&h->out, why);
	flush(h);
}

void
helper_tell(const struct fail *f, void *cookie)
{
	struct helper *h = cookie;

	if (!h->feed) {
		fail_tell(f, NULL);
		return;
	}
	protocol_tell(&h->out, f);
	flush(h);
}

void
helper_done(const struct fail *f, void *cookie)
{
	struct helper *h = cookie;

	if (f)
		helper_tell(f, h);
	if (f)
		h->status = f->status;
	loop_stop(h->loop, 0);
}
