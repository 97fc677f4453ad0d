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
#include "component/outlet.h"
#include "component/watcher.h"

enum { OPT_POLL = OPT_OWN, OPT_RESCAN, OPT_SETTLE, OPT_STATE, OPT_TREE, OPT_UDEV };

static const struct opt opts[] = {
	OPT_AGENT,
	{ 'a', "all", NULL, "tell of changes and departures, too" },
	{ '1', "once", NULL, "compare once with --state and end" },
	{ OPT_POLL, "poll", "DUR", "look every DUR" },
	{ OPT_RESCAN, "rescan", "DUR", "look every DUR, in case an edge was lost (60s)" },
	{ OPT_SETTLE, "settle", "DUR", "look when it was quiet for DUR (250ms)" },
	{ OPT_STATE, "state", "FILE", "keep what was acted on in FILE" },
	{ OPT_TREE, "tree", "DIR", "listen to the directory DIR and those below it" },
	{ OPT_UDEV, "udev", "MATCH", "listen to devices with KEY=VALUE,...; or any" },
	OPT_COMMON
};

static const char synopsis[] = "[-A NAME] [--udev MATCH]... [--tree DIR]... [--poll DUR]\n"
    "       [--settle DUR] [--rescan DUR] [--state FILE] [-a] [-1]\n"
    "       [INVENTORY]... [-- CMD ARGS]";

struct watch {
	const char *agent;
	struct watcher_spec spec;
	char **trees, **inventories;
	size_t n_trees, trees_cap;
	char *const *command;		/* NULL for none */
	struct loop *loop;
	struct watcher *watcher;
	struct outlet *outlet;
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
	outlet_hand(w->outlet, text.s, text.len);
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
	const struct watcher_tell tell = { offer, problem, ready, end, w };
	const struct outlet_tell outlet_tell = { acted, stdout_broken, w };
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
	w->outlet = outlet_new(w->loop, w->command, &outlet_tell);
	loop_stage_add(w->loop, &w->stop);
	loop_signal(w->loop, SIGINT, on_signal, w);
	loop_signal(w->loop, SIGTERM, on_signal, w);
	w->status = loop_run(w->loop);
	outlet_free(w->outlet);
	watcher_free(w->watcher);
	loop_free(w->loop);
}

static void
add_match(struct watch *w)
{
	struct json m = JSON_ABSENT;
	struct fail f;

	if (edge_parse_match(optarg, &m, &f) < 0)
		opt_misused("--udev: %s", f.text);
	json_append(&w->spec.edges.matches, m);
}

static void
add_tree(struct watch *w)
{
	if (!*optarg || strchr(optarg, '\n'))
		opt_misused("not a directory for --tree: '%s'", optarg);
	w->trees = xgrow(w->trees, w->n_trees + 1, &w->trees_cap, sizeof *w->trees);
	w->trees[w->n_trees++] = optarg;
	w->trees[w->n_trees] = NULL;
}

/* Returns whether the options were ended by "--". */
static bool
read_options(struct watch *w, int argc, char *argv[])
{
	struct watcher_spec *s = &w->spec;
	const char *last = NULL;
	int c;

	while ((c = opt_next(argc, argv, opts, synopsis)) != -1) {
		switch (c) {
		case 'A': w->agent = optarg; break;
		case 'a': s->all = true; break;
		case '1': s->once = true; break;
		case OPT_POLL: s->poll_ms = opt_duration("--poll"); break;
		case OPT_RESCAN: s->rescan_ms = opt_duration("--rescan"); break;
		case OPT_SETTLE: s->settle_ms = opt_duration("--settle"); break;
		case OPT_STATE: s->state = optarg; break;
		case OPT_TREE: add_tree(w); break;
		case OPT_UDEV: add_match(w); break;
		default: abort();
		}
		last = optarg;
	}
	if (s->once && !s->state)
		opt_misused("-1 compares with what --state keeps; it needs --state FILE");
	s->edges.follow = !w->n_trees && !json_count(s->edges.matches) && !s->poll_ms;
	return optind > 1 && argv[optind - 1] != last && strcmp(argv[optind - 1], "--") == 0;
}

/* [INVENTORY]... [-- CMD ARGS] */
static void
read_operands(struct watch *w, char *argv[], bool command_only)
{
	size_t n = 0;

	if (command_only && !*argv)
		opt_misused("no command after --");
	while (!command_only && argv[n] && strcmp(argv[n], "--") != 0)
		n++;
	w->inventories = xcalloc(n + 1, sizeof *w->inventories);
	memcpy(w->inventories, argv, n * sizeof *argv);
	if (command_only)
		w->command = argv;
	else if (argv[n] && !argv[n + 1])
		opt_misused("no command after --");
	else if (argv[n])
		w->command = argv + n + 1;
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
	bool command_only;

	diag_init(argv);
	command_only = read_options(&w, argc, argv);
	read_operands(&w, argv + optind, command_only);
	profile_scope_or_die(w.agent, w.inventories, &scope);
	w.spec.edges.inventories = scope.inventories;
	w.spec.edges.group = scope.group;
	w.spec.edges.trees = w.trees ? w.trees : none;
	run(&w);
	free(w.trees);
	free(w.inventories);
	profile_free(scope.profile);
	json_release(&w.spec.edges.matches);
	finish((enum exit_status)w.status);
}
