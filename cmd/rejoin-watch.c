/*
 * rejoin-watch - notice that components came back
 *
 * Prints an event, a JSON line, for each component that arrived, became
 * readable or was swapped; with -a also for those that changed or departed.
 * With a command after "--" the events of a burst go to its stdin, and are
 * offered again until it has succeeded.  Ends at SIGINT and SIGTERM with
 * EXIT_OK, with -1 after one look, and when nobody reads its output any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/opt.h"
#include "base/sdnotify.h"
#include "base/xalloc.h"
#include "component/event_sink.h"
#include "component/watcher.h"

enum { OPT_POLL = OPT_OWN, OPT_RESCAN, OPT_SETTLE, OPT_STATE, OPT_TREE, OPT_UDEV };

static const struct opt opts[] = {
	OPT_AGENT,
	{ 'a', "all", NULL, "print changed and departed components as well" },
	{ '1', "once", NULL, "compare once with the state of --state and exit" },
	{ OPT_POLL, "poll", "DUR", "scan every DUR" },
	{ OPT_RESCAN, "rescan", "DUR", "scan every DUR in case a trigger was lost; 0s is never", .preset = "60s" },
	{ OPT_SETTLE, "settle", "DUR", "scan once no trigger has come for DUR", .preset = "250ms" },
	{ OPT_STATE, "state", "FILE", "keep in FILE what was acted on" },
	{ OPT_TREE, "tree", "DIR", "scan on changes in the directory DIR and below", .repeats = true },
	{ OPT_UDEV, "udev", "MATCH", "scan on events of devices that match MATCH: KEY=VALUE,... or any", .samples = "any SUBSYSTEM=",
	    .repeats = true },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "report components that came back",
	.synopsis = "[-A NAME] [--udev MATCH]... [--tree DIR]... [--poll DUR]\n\t[--settle DUR] [--rescan DUR] [--state FILE] "
	    "[-a] [-1]\n\t[INVENTORY]... [-- CMD ARGS]",
	.opts = opts,
	.operands = OPT_FILES, .has_command = true,
	.statuses = "0 stopped on request, or with -1 a component came back; 1 with -1 none did; 2 usage or a wrong inventory; "
	    "3 trouble; 7 denied",
	.example = "rejoin-watch --state watch.json -- rejoin-retry --queue",
};

struct watch {
	const char *agent;
	struct watcher_spec spec;
	char **trees;
	size_t n_trees, trees_cap;
	char *const *command;		/* NULL for none */
	struct loop *loop;
	struct watcher *watcher;
	struct event_sink *outlet;
	struct loop_stage stop;
	int status;
};

static void
offer(struct json events, void *cookie)
{
	struct watch *w = cookie;
	_cleanup_buf_ struct buf text = BUF_INIT;

	for (size_t i = 0; i < json_count(events); i++) {
		_cleanup_json_ struct json e = json_at(events, i);

		diag_note("%s %s", json_get_text(e, "id"), json_get_text(e, "event"));
		json_format(e, &text);
		buf_putc(&text, '\n');
	}
	event_sink_write(w->outlet, text.s, text.len);
}

static void
acted(bool yes, const char *why, void *cookie)
{
	struct watch *w = cookie;
	_cleanup_free_ char *text = yes ? NULL :
	    xasprintf("%s %s; its events are offered again", w->command[0], why);

	watcher_acted(w->watcher, yes, text);
}

static void
end(enum exit_status status, void *cookie)
{
	struct watch *w = cookie;

	loop_shutdown(w->loop, (int)status);
}

static void
stdout_broken(int err, void *cookie)
{
	if (err)
		diag(err, "write error");
	else
		diag(0, "write error: nobody reads stdout any more");
	end(EXIT_TROUBLE, cookie);
}

static void
problem(enum exit_status status, const char *text, void *cookie)
{
	(void)cookie;
	if (status == EXIT_OK)
		diag_info("%s", text);
	else
		diag(0, "%s", text);
}

static void
ready(void *cookie)
{
	(void)cookie;
	diag_note("listening");
}

/* The first stage: no more events for the command, which is ended next. */
static void
stop(void *cookie)
{
	struct watch *w = cookie;

	sdnotify("STOPPING=1");
	watcher_stop(w->watcher);
}

static void
on_signal(void *cookie)
{
	end(EXIT_OK, cookie);
}

static void
run(struct watch *w)
{
	const struct watcher_callbacks tell = { offer, problem, ready, end, w };
	const struct event_sink_callbacks outlet_tell = { acted, stdout_broken, w };
	struct fail f;

	signal(SIGPIPE, SIG_IGN);
	/* closed, it stands for something that cannot be written */
	if ((fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY)
		die(EXIT_TROUBLE, EBADF, "stdout");
	w->loop = loop_new();
	w->stop = (struct loop_stage){ .fn = stop, .cookie = w };
	w->watcher = watcher_new(w->loop, &w->spec, &tell, &f);
	if (!w->watcher)
		fail_die(&f);
	w->outlet = event_sink_new(w->loop, w->command, &outlet_tell);
	loop_stage_add(w->loop, &w->stop);
	loop_signal(w->loop, SIGINT, on_signal, w);
	loop_signal(w->loop, SIGTERM, on_signal, w);
	w->status = loop_run(w->loop);
	event_sink_free(w->outlet);
	watcher_free(w->watcher);
	loop_free(w->loop);
}

static void
add_match(struct watch *w, const char *text)
{
	struct json m = JSON_ABSENT;
	struct fail f;

	if (trigger_parse_match(text, &m, &f) < 0)
		opt_misused("--udev: %s", f.text);
	json_append(&w->spec.edges.matches, m);
}

static void
add_tree(struct watch *w, char *dir)
{
	if (!*dir || strchr(dir, '\n'))
		opt_misused("--tree: not a directory: '%s'", dir);
	w->trees = xgrow(w->trees, w->n_trees + 1, &w->trees_cap, sizeof *w->trees);
	w->trees[w->n_trees++] = dir;
	w->trees[w->n_trees] = NULL;
}

static void
parse_options(struct watch *w, struct opt_scan *s)
{
	struct watcher_spec *spec = &w->spec;
	int key;

	while ((key = opt_next(s)) != -1) {
		switch (key) {
		case 'A': w->agent = s->arg; break;
		case 'a': spec->all = true; break;
		case '1': spec->once = true; break;
		case OPT_POLL: spec->poll_ms = opt_duration(s); break;
		case OPT_RESCAN: spec->rescan_ms = opt_duration(s); break;
		case OPT_SETTLE: spec->settle_ms = opt_duration(s); break;
		case OPT_STATE: spec->state = s->arg; break;
		case OPT_TREE: add_tree(w, s->arg); break;
		case OPT_UDEV: add_match(w, s->arg); break;
		default: abort();
		}
	}
	if (spec->once && !spec->state)
		opt_misused("-1: requires --state FILE");
	if (s->command && !*s->command)
		opt_misused("requires a command CMD after '--'");
	spec->edges.follow = !w->n_trees && !json_count(spec->edges.matches) && !spec->poll_ms;
	w->command = s->command;
}

int
main(int argc, char *argv[])
{
	static char *const none[] = { NULL };
	struct watch w = { .spec = {
		.edges = { .matches = json_array() },
		.settle_ms = 250, .rescan_ms = 60 * 1000,
	} };
	struct profile_scope scope;
	struct opt_scan s;

	diag_init(argv);
	opt_begin(&s, argc, argv, &tool);
	parse_options(&w, &s);
	profile_scope_or_die(w.agent, s.operands, &scope);
	w.spec.edges.inventories = scope.inventories;
	w.spec.edges.group = scope.group;
	w.spec.edges.trees = w.trees ? w.trees : none;
	run(&w);
	free(w.trees);
	profile_free(scope.profile);
	json_release(&w.spec.edges.matches);
	finish((enum exit_status)w.status);
}
