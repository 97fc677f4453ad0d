/*
 * rejoin-log-impcentral - follow the logs of impCentral's devices for
 * rejoin-log, which so has no token in its memory.
 *
 * Without --feed it prints the history of the devices that are named; with it,
 * it follows them and speaks input/protocol.h.  It ends with EXIT_BUSY where the
 * account's log stream is taken away from it, else with what is wrong.
 */
#include <stdlib.h>
#include <string.h>

#include "base/opt.h"
#include "base/xalloc.h"
#include "input/helper.h"
#include "imp/stream.h"

enum { OPT_ACCOUNT = OPT_OWN, OPT_FEED, OPT_IDLE, OPT_POLL, IDLE_MS = 300000, POLL_MS = 30000 };

static const struct opt opts[] = {
	{ OPT_ACCOUNT, "account", "FILE", "read the account from FILE", .preset = "impcentral.conf" },
	{ OPT_FEED, "feed", NULL, "speak the helper protocol of rejoin-log and reconnect" },
	{ OPT_IDLE, "idle", "DUR", "reconnect when nothing has come for DUR", .preset = "5m" },
	{ OPT_POLL, "poll", "DUR", "ask every DUR for the logs of devices that the stream rejects", .preset = "30s" },
	OPT_HELP, OPT_VERSION, OPT_END
};

static const struct opt_tool tool = {
	.purpose = "print logs of impCentral devices for rejoin-log",
	.synopsis = "[OPTION]... DEVICE[,DEVICE...]",
	.opts = opts,
	.operands = OPT_TEXTS,
};

struct follower {
	struct helper helper;
	struct history history;
	struct imp_account account;
	struct imp *imp;
	const char *account_file;
	struct imp_stream_spec spec;
	struct imp_stream_ops ops;
	struct imp_stream *stream;
};

static void
on_entry(const struct imp_entry *e, void *cookie)
{
	_cleanup_buf_ struct buf id = BUF_INIT, text = BUF_INIT;

	history_format_id(e, &id);
	imp_entry_format(e, &text);
	helper_event(cookie, id.s, text.s, text.len);
}

static void
set_option(struct follower *w, const struct opt_scan *s)
{
	switch (s->opt->key) {
	case OPT_ACCOUNT:
		w->account_file = s->arg;
		break;
	case OPT_FEED:
		w->helper.feed = true;
		break;
	case OPT_IDLE:
		w->spec.idle_ms = opt_duration(s);
		break;
	case OPT_POLL:
		w->spec.poll_ms = opt_duration(s);
		break;
	default:
		abort();
	}
}

/* DEVICE[,DEVICE...] */
static int
add_devices(struct follower *w, const char *list, struct fail *f)
{
	_cleanup_free_ char *copy = xstrdup(list);
	char *rest = copy, *device;
	int r = 0;

	while (r == 0 && (device = strsep(&rest, ",")))
		r = history_add_device(&w->history, device, f);
	return r;
}

static int
begin_following(struct follower *w, const char *devices, struct fail *f)
{
	int r = imp_account_load(w->account_file, &w->account, f);

	if (r == 0)
		r = imp_open(&w->account, &w->imp, f);
	if (r < 0)
		return r;
	history_init(&w->history, w->imp);
	r = add_devices(w, devices, f);
	if (r < 0)
		return r;
	for (const char *id = helper_first(&w->helper); id; id = helper_next(&w->helper, id))
		history_know(&w->history, id);
	w->spec.imp = w->imp;
	w->spec.history = &w->history;
	if (w->helper.feed)
		return imp_stream_start(w->helper.loop, &w->spec, &w->ops, &w->account, &w->stream, f);
	r = imp_stream_fill(&w->history, &w->ops, f);
	if (r == 0)
		helper_done(NULL, &w->helper);
	return r;
}

int
main(int argc, char *argv[])
{
	struct follower w = { .spec = { .idle_ms = IDLE_MS, .poll_ms = POLL_MS } };
	struct opt_scan s;
	struct fail f;

	diag_init(argv);
	helper_init(&w.helper);
	w.ops = (struct imp_stream_ops){ on_entry, helper_gap, helper_tell, helper_done, &w.helper };
	opt_begin(&s, argc, argv, &tool);
	while (opt_next(&s) != -1)
		set_option(&w, &s);
	if (s.n_operands != 1)
		opt_misused("requires one operand DEVICE[,DEVICE...]");
	helper_begin(&w.helper);
	if (begin_following(&w, *s.operands, &f) < 0)
		helper_done(&f, &w.helper);
	loop_run(w.helper.loop);
	imp_stream_free(w.stream);
	history_release(&w.history);
	imp_close(w.imp);
	imp_account_release(&w.account);
	helper_release(&w.helper);
	finish(w.helper.status);
}
