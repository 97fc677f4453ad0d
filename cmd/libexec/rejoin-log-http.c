/*
 * rejoin-log-http - follow Server-Sent Events for rejoin-log, which so needs
 * neither libcurl nor the token.
 *
 * Without --feed it prints the text of each event until the server ends the
 * connection; with it, it connects again and again and speaks input/protocol.h.  It
 * ends with 0 where the server wants no more, else with what is wrong.
 */
#include <stdlib.h>

#include "base/opt.h"
#include "input/events.h"
#include "input/helper.h"

enum { OPT_CA = OPT_OWN, OPT_FEED, OPT_IDLE, OPT_TOKEN, IDLE_MS = 300000 };

static const struct opt opts[] = {
	{ OPT_CA, "ca-file", "FILE", "accept only certificates signed by those in FILE" },
	{ OPT_FEED, "feed", NULL, "speak the helper protocol of rejoin-log and reconnect" },
	{ OPT_IDLE, "idle", "DUR", "reconnect when nothing has come for DUR", .preset = "5m" },
	{ OPT_TOKEN, "token-file", "FILE", "read a bearer token from FILE" },
	OPT_HELP, OPT_VERSION, OPT_END
};

static const struct opt_tool tool = {
	.purpose = "print Server-Sent Events for rejoin-log",
	.synopsis = "[OPTION]... URL",
	.opts = opts,
	.operands = OPT_TEXTS,
};

static void
on_event(const char *id, const char *text, size_t n, void *cookie)
{
	helper_event(cookie, id, text, n);
}

static void
set_option(struct helper *h, struct events_spec *spec, const struct opt_scan *s)
{
	switch (s->opt->key) {
	case OPT_CA:
		spec->ca_file = s->arg;
		break;
	case OPT_FEED:
		h->feed = true;
		break;
	case OPT_IDLE:
		spec->idle_ms = opt_duration(s);
		break;
	case OPT_TOKEN:
		spec->token_file = s->arg;
		break;
	default:
		abort();
	}
}

int
main(int argc, char *argv[])
{
	struct events_spec spec = { .idle_ms = IDLE_MS };
	struct helper h;
	const struct events_ops ops = { on_event, helper_gap, helper_tell, helper_done, &h };
	struct events *e = NULL;
	struct opt_scan s;
	struct fail f;

	diag_init(argv);
	helper_init(&h);
	opt_begin(&s, argc, argv, &tool);
	while (opt_next(&s) != -1)
		set_option(&h, &spec, &s);
	if (s.n_operands != 1)
		opt_misused("requires one operand URL");
	spec.url = *s.operands;
	spec.once = !h.feed;
	helper_begin(&h);
	for (const char *id = helper_first(&h); id; id = helper_next(&h, id))
		spec.last_id = id;
	if (events_start(h.loop, &spec, &ops, &e, &f) < 0)
		helper_done(&f, &h);
	for (const char *id = helper_first(&h); e && id; id = helper_next(&h, id))
		events_know(e, id);
	loop_run(h.loop);
	events_free(e);
	helper_release(&h);
	finish(h.status);
}
