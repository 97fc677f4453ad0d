/*
 * rejoin-watch - notice that components came back
 *
 * Prints an event for each component that arrived, became readable or was
 * swapped; with -a also for those that changed or departed.  With a command
 * after "--" the events of a burst go to its stdin, and are offered again until
 * it has succeeded.  Ends at SIGINT and SIGTERM with EXIT_OK, with -1 after one
 * scan, and when its output is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/overview.h"
#include "agent/profile.h"
#include "agent/status_monitor.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/opt.h"
#include "base/sdnotify.h"
#include "base/xalloc.h"
#include "component/event_sink.h"
#include "component/event_table.h"
#include "component/listing.h"
#include "component/watcher.h"

enum { OPT_POLL = OPT_OWN, OPT_RESCAN, OPT_SETTLE, OPT_STATE, OPT_TREE, OPT_UDEV };

static const struct opt opts[] = {
	OPT_AGENT,
	{ 'a', "all", NULL, "print changed and departed components as well" },
	{ '1', "once", NULL, "compare once with the state of --state and exit" },
	OPT_FORMAT("jsonl table", LISTING_DEFAULT_TEXT),
	OPT_JSON,
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
	    "[-a] [-1]\n\t[--format F] [INVENTORY]... [-- CMD ARGS]",
	.opts = opts,
	.operands = OPT_FILES, .has_command = true,
	.statuses = "0 stopped on request, or with -1 a component came back; 1 with -1 none did; 2 usage or a wrong inventory; "
	    "3 trouble; 6 the state file is in use; 7 denied",
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
	struct event_sink *sink;
	struct loop_stage stop;
	const struct profile *profile;	/* of the agent; NULL where none is involved */
	struct status_monitor *monitor;
	enum listing_format format;
	struct event_table table;
	int status;
};

/* Is stdout a terminal's table?  With a command it is not ours. */
static bool
is_for_person(const struct watch *w)
{
	return w->format == LISTING_TABLE && !w->command;
}

static void
events_offer(struct json events, void *cookie)
{
	struct watch *w = cookie;
	_cleanup_buf_ struct buf text = BUF_INIT;

	for (size_t i = 0; i < json_count(events); i++) {
		_cleanup_json_ struct json e = json_at(events, i);

		diag_note("%s %s", json_get_text(e, "id"), json_get_text(e, "event"));
		if (is_for_person(w)) {
			event_table_add(&w->table, e, &text);
		} else {
			json_format(e, &text);
			buf_putc(&text, '\n');
		}
	}
	event_sink_write(w->sink, text.s, text.len);
}

static void
on_acted(bool yes, const char *why, void *cookie)
{
	struct watch *w = cookie;
	_cleanup_free_ char *text = yes ? NULL :
	    xasprintf("%s %s; its events are offered again", w->command[0], why);

	watcher_acted(w->watcher, yes, text);
}

static void
watch_end(enum exit_status status, void *cookie)
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
		diag(0, "write error: stdout is closed");
	watch_end(EXIT_TROUBLE, cookie);
}

static void
on_problem(enum exit_status status, const char *text, void *cookie)
{
	(void)cookie;
	if (status == EXIT_OK)
		diag_info("%s", text);
	else
		diag(0, "%s", text);
}

static void
on_ready(const char *what, int64_t scan_ms, void *cookie)
{
	const struct watch *w = cookie;
	_cleanup_buf_ struct buf text = BUF_INIT;

	buf_printf(&text, "monitoring %s", what);
	if (scan_ms)
		buf_printf(&text, "; a scan every %g s", (double)scan_ms / 1000);
	(is_for_person(w) ? diag_info : diag_note)("%s", text.s);
}

/* The agent as the watcher needs to know it. */
static void
read_agent(struct watcher_agent *a, void *cookie)
{
	const struct watch *w = cookie;
	struct status s;
	struct fail f;

	a->running = -1;
	a->reports_waiting = w->profile->status.method == STATUS_FILE;
	if (status_monitor_read(w->profile, &s, &f) < 0)
		return;
	a->running = s.running;
	snprintf(a->incarnation, sizeof a->incarnation, "%s", s.incarnation);
	if (!a->reports_waiting)
		return;
	a->is_settled = s.running == 1 && status_is_settled(&s);
	a->waiting = overview_waiting(&s);
	status_evaluation(&s, a->evaluation, sizeof a->evaluation);
}

static void
agent_changed(void *cookie)
{
	const struct watch *w = cookie;

	watcher_agent_changed(w->watcher);
}

/* First at shutdown: no more events for the command, which is ended next. */
static void
stop_watching(void *cookie)
{
	struct watch *w = cookie;

	sdnotify("STOPPING=1");
	watcher_stop(w->watcher);
}

static void
on_signal(void *cookie)
{
	watch_end(EXIT_OK, cookie);
}

static void
watch_run(struct watch *w)
{
	const struct watcher_callbacks callbacks = {
		events_offer, on_problem, on_ready, watch_end,
		w->profile ? read_agent : NULL, w,
	};
	const struct event_sink_callbacks sink_callbacks = { on_acted, stdout_broken, w };
	struct fail f;

	signal(SIGPIPE, SIG_IGN);
	/* where it was closed, diag_init() has opened something that cannot be written */
	if ((fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY)
		die(EXIT_TROUBLE, EBADF, "stdout");
	w->loop = loop_new();
	w->stop = (struct loop_stage){ .fn = stop_watching, .cookie = w };
	w->watcher = watcher_new(w->loop, &w->spec, &callbacks, &f);
	if (!w->watcher)
		fail_die(&f);
	w->sink = event_sink_new(w->loop, w->command, &sink_callbacks);
	if (w->profile && !w->spec.once)
		w->monitor = status_monitor_new(w->loop, w->profile, agent_changed, w);
	loop_stage_add(w->loop, &w->stop);
	loop_signal(w->loop, SIGINT, on_signal, w);
	loop_signal(w->loop, SIGTERM, on_signal, w);
	w->status = loop_run(w->loop);
	status_monitor_free(w->monitor);
	event_sink_free(w->sink);
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
	json_append(&w->spec.triggers.matches, m);
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
		case OPT_KEY_FORMAT: w->format = listing_format(s); break;
		case OPT_KEY_JSON: w->format = LISTING_JSONL; break;
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
	spec->triggers.follow = !w->n_trees && !json_count(spec->triggers.matches) && !spec->poll_ms;
	w->command = s->command;
}

int
main(int argc, char *argv[])
{
	static char *const none[] = { NULL };
	struct watch w = { .format = listing_default(&tool), .spec = {
		.triggers = { .matches = json_array() },
		.settle_ms = 250, .rescan_ms = 60 * 1000,
	} };
	struct profile_scope scope;
	struct opt_scan s;

	diag_init(argv);
	opt_begin(&s, argc, argv, &tool);
	parse_options(&w, &s);
	profile_scope_or_die(w.agent, s.operands, &scope);
	w.spec.triggers.inventories = scope.inventories;
	w.spec.group = scope.group;
	w.profile = scope.profile;
	w.spec.triggers.trees = w.trees ? w.trees : none;
	watch_run(&w);
	free(w.trees);
	profile_free(scope.profile);
	json_release(&w.spec.triggers.matches);
	finish((enum exit_status)w.status);
}
