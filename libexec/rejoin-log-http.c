/*
 * rejoin-log-http - follow Server-Sent Events for rejoin-log, which so needs
 * neither libcurl nor the token.
 *
 * Without --feed it prints the text of each event until the server ends the
 * connection; with it, it connects again and again and speaks log/wire.h.  It
 * ends with 0 where the server wants no more, else with what is wrong.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "log/events.h"
#include "log/wire.h"

enum { OPT_CA = OPT_OWN, OPT_FEED, OPT_IDLE, OPT_TOKEN, IDS_MAX = 1 << 20, IDLE_MS = 300000 };

static const struct opt opts[] = {
	{ OPT_CA, "ca-file", "FILE", "who may have signed the certificate" },
	{ OPT_FEED, "feed", NULL, "follow, for rejoin-log" },
	{ OPT_IDLE, "idle", "DUR", "how long nothing may come" },
	{ OPT_TOKEN, "token-file", "FILE", "holds a bearer token" },
	OPT_HELP, OPT_VERSION, OPT_END
};

struct follower {
	struct loop *loop;
	struct events_spec spec;
	bool feed;
	struct buf out, ids;
	enum exit_status status;
};

/* Who reads may be gone, and then nobody wants to hear that. */
static void
flush(struct follower *w)
{
	int r = io_write_all(STDOUT_FILENO, w->out.s, w->out.len);

	buf_reset(&w->out);
	if (r == -EPIPE)
		exit(EXIT_OK);
	if (r < 0)
		die(EXIT_TROUBLE, r, "standard output");
}

static void
on_event(const char *id, const char *text, size_t n, void *cookie)
{
	struct follower *w = cookie;

	if (w->feed)
		wire_event(&w->out, id, text, n);
	else {
		buf_add(&w->out, text, n);
		buf_putc(&w->out, '\n');
	}
	flush(w);
}

static void
on_gap(const char *why, void *cookie)
{
	struct follower *w = cookie;

	wire_gap(&w->out, why);
	if (w->feed)
		flush(w);
	else
		buf_reset(&w->out);
}

static void
on_tell(const struct fail *f, void *cookie)
{
	struct follower *w = cookie;

	if (!w->feed) {
		fail_tell(f, NULL);
		return;
	}
	wire_tell(&w->out, f);
	flush(w);
}

static void
on_done(const struct fail *f, void *cookie)
{
	struct follower *w = cookie;

	if (f)
		on_tell(f, w);
	w->status = f ? f->status : EXIT_OK;
	loop_stop(w->loop, 0);
}

static void
on_closed(int fd, short events, void *cookie)
{
	(void)fd;
	(void)events;
	(void)cookie;
	exit(EXIT_OK);		/* nobody reads any longer */
}

/* The last line of standard input. */
static void
read_ids(struct follower *w)
{
	ssize_t n;
	char *nl;

	while ((n = io_read_buf(STDIN_FILENO, &w->ids)) > 0 && w->ids.len < IDS_MAX)
		;
	if (w->ids.len && w->ids.s[w->ids.len - 1] == '\n')
		w->ids.s[--w->ids.len] = '\0';
	nl = strrchr(w->ids.s, '\n');
	if (w->ids.len)
		w->spec.last_id = nl ? nl + 1 : w->ids.s;
}

static void
set_option(struct follower *w, int key)
{
	switch (key) {
	case OPT_CA:
		w->spec.ca_file = optarg;
		break;
	case OPT_FEED:
		w->feed = true;
		break;
	case OPT_IDLE:
		w->spec.idle_ms = opt_duration("--idle");
		break;
	case OPT_TOKEN:
		w->spec.token_file = optarg;
		break;
	default:
		abort();
	}
}

int
main(int argc, char *argv[])
{
	struct follower w = { .loop = loop_new(), .spec = { .idle_ms = IDLE_MS }, .out = BUF_INIT, .ids = BUF_INIT };
	const struct events_ops ops = { on_event, on_gap, on_tell, on_done, &w };
	struct events *e = NULL;
	struct fail f;
	int c;

	diag_init(argv);
	while ((c = opt_next(argc, argv, opts, "[OPTION]... URL")) != -1)
		set_option(&w, c);
	if (argc - optind != 1)
		opt_misused("one URL is needed");
	w.spec.url = argv[optind];
	w.spec.once = !w.feed;
	if (w.feed)
		read_ids(&w);
	loop_watch(w.loop, STDOUT_FILENO, 0, on_closed, NULL);
	if (events_start(w.loop, &w.spec, &ops, &e, &f) < 0)
		on_done(&f, &w);
	loop_run(w.loop);
	events_free(e);
	loop_free(w.loop);
	buf_release(&w.out);
	buf_release(&w.ids);
	finish(w.status);
}
