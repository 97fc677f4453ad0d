/*
 * rejoin-agent - bring the components of a device to a goal
 *
 * Runs in the foreground.  Reads the goal from a file or a server and evaluates it at start,
 * when it changes, and when a retry is received through the command pipe.  The
 * components are enumerated each time.  Exits with EXIT_OK on SIGINT and SIGTERM,
 * with EXIT_BUSY if another agent holds the lock.
 */
#include <sys/types.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/profile.h"
#include "agent/runtime.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/filewatch.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/opt.h"
#include "base/sdnotify.h"
#include "base/xalloc.h"
#include "deploy/goal_source.h"
#include "deploy/reconcile.h"
#include "deploy/agent_config.h"
#include "deploy/verify.h"
#include "module/agent_calls.h"
#include "module/modules.h"
#include "retry/frame.h"

enum { OPT_GOAL = OPT_OWN, OPT_STATE, OPT_ONCE, OPT_VERIFY };

enum {
	RESYNC_MS = 1000,	/* an incomplete frame is dropped after this time */
	RUNTIME_POLL_MS = 5000,
	ROUND = 16,		/* reads of the pipe per call */
};

static const struct opt opts[] = {
	OPT_AGENT,
	{ OPT_GOAL, "goal", "URL", "read the goal from URL: file:PATH with an absolute PATH, or an http: or https: address", .preset = "goal of agent.conf" },
	{ 'j', "jobs", "N", "work on up to N components at a time", .preset = "jobs of agent.conf" },
	{ OPT_ONCE, "once", NULL, "evaluate the goal once and exit with its result" },
	{ OPT_STATE, "state", "DIR", "keep desired and current state, journal and payloads in DIR",
	    .preset = "agent in the state directory" },
	{ OPT_VERIFY, "verify", "FILE", "check the signature and the files of the goal in FILE, and print what is in it" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "bring the components of a device to a goal",
	.synopsis = "[-A NAME] [--goal URL] [--state DIR] [--jobs N] [--once]\n[--verify FILE]",
	.opts = opts,
	.statuses = "0 stopped on request, or with --once all is installed; 1 with --once a component failed; "
	    "2 usage or settings; 3 trouble; 6 another agent is running; 7 denied",
	.example = "rejoin-agent --once --goal file:/srv/updates/goal.json",
};

struct agent {
	struct loop *loop;
	struct profile *profile;
	struct agent_config config;
	struct runtime *runtime;
	struct goal_source *source;
	struct reconciler *reconciler;
	struct modules *modules;
	struct agent_calls *calls;
	char call[FRAME_SIZE];	/* the last one of a link that was read */
	bool paused;		/* the modules are */
	struct frame_reader frames;
	struct loop_timer resync;
	struct filewatch *filewatch;	/* of the runtime directory */
	const char *goal;	/* of --goal; NULL for that of agent.conf */
	char *state;		/* the state directory */
	int64_t jobs;		/* of --jobs; 0 for that of agent.conf */
	const char *verify;	/* of --verify */
	bool once;
	int once_status;
};

static void
on_publish(const struct status *s, void *cookie)
{
	struct agent *a = cookie;
	int r = runtime_publish(a->runtime, s);

	if (r < 0)
		diag(r, "%s", a->profile->status.path);
	if (s->state == AGENT_STOPPING)
		sdnotify("STOPPING=1");
}

static void
on_busy(bool busy, void *cookie)
{
	struct agent *a = cookie;

	runtime_set_busy(a->runtime, busy);
}

static void
on_log(const char *text, void *cookie)
{
	(void)cookie;
	diag_info("%s", text);
}

/* With --once: what is reported was accepted, or cannot be sent now. */
static void
on_flushed(void *cookie)
{
	struct agent *a = cookie;

	loop_shutdown(a->loop, a->once_status);
}

static void
on_settled(enum exit_status status, void *cookie)
{
	struct agent *a = cookie;

	if (!a->once)
		return;
	a->once_status = (int)status;
	reconcile_flush(a->reconciler, on_flushed, a);
}

/* Only under a supervisor, which starts the agent again; else the status reports "needs-restart". */
static void
on_restart(void *cookie)
{
	struct agent *a = cookie;

	if (!getenv("INVOCATION_ID"))
		return;
	diag_info("an update asks for a restart of the agent");
	loop_shutdown(a->loop, EXIT_TROUBLE);
}

/* It is said at once: the instances may take their time to end. */
static void
on_signal(void *cookie)
{
	struct agent *a = cookie;

	if (!loop_is_shutting_down(a->loop))
		reconcile_stop(a->reconciler);
	loop_shutdown(a->loop, EXIT_OK);
}

/* With --once no module is started: nothing would be there to end it. */
static void
on_modules(struct module_manifest *m, void *cookie)
{
	struct agent *a = cookie;

	if (!a->once) {
		modules_set(a->modules, m);
		return;
	}
	if (m)
		diag_info("--once: modules are left as they are");
	module_manifest_free(m);
}

static void
on_goal(void *cookie)
{
	struct agent *a = cookie;

	reconcile_look(a->reconciler);
}

static void
on_refreshed(void *cookie)
{
	struct agent *a = cookie;

	reconcile_refreshed(a->reconciler);
}

static bool
on_refresh(void *cookie)
{
	struct agent *a = cookie;

	return a->source && goal_source_refresh(a->source, on_refreshed, a);
}

/* The server that the goal comes from cannot be reached, or can be again. */
static void
on_source_failed(const struct fail *f, void *cookie)
{
	struct agent *a = cookie;

	reconcile_note(a->reconciler, f ? f->text : "");
}

/* The frame was not completed in time: its writer does not write frames. */
static void
on_resync(void *cookie)
{
	struct agent *a = cookie;
	char command[FRAME_SIZE];
	size_t n = frame_drop(&a->frames, command);

	if (n > 0)
		diag_info("%s: a frame of %zu bytes, '%s', ignored", a->profile->retry.path, n, command);
}

static void
on_paused(bool paused, void *cookie)
{
	struct agent *a = cookie;

	a->paused = paused;
	reconcile_tell(a->reconciler, paused, NULL);
}

static void
on_call_outcome(const char *text, void *cookie)
{
	struct agent *a = cookie;

	reconcile_tell(a->reconciler, a->paused, text);
}

/* The frames that name what they are for: an instance, or the call of a link. */
enum { NAMED_INSTANCE, NAMED_CALL };

static void
on_named(size_t which, const char *name, void *cookie)
{
	struct agent *a = cookie;

	if (which == NAMED_CALL)	/* of several, the last */
		snprintf(a->call, sizeof a->call, "%s", name);
	else if (modules_retry(a->modules, name))
		diag_note("instance %s: retry request", name);
	else
		diag_info("instance %s: retry request, but there is no such instance", name);
}

/*
 * Any number of retries is one flag to the reconciler.  A flood of frames fills
 * neither the log nor the loop: one line and at most ROUND reads per call.
 */
static void
on_command(int fd, short events, void *cookie)
{
	struct agent *a = cookie;
	const char *const names[] = { a->profile->retry.command, a->profile->retry.again_command, NULL };
	struct frame_haul h = { .named_commands = { [NAMED_INSTANCE] = a->profile->retry.instance_command,
	    [NAMED_CALL] = a->profile->retry.call_command }, .named = on_named, .cookie = a };
	char block[4096];
	ssize_t n;

	(void)events;
	for (int i = 0; i < ROUND && (n = io_read(fd, block, sizeof block)) > 0; i++)
		frame_sort(&a->frames, block, (size_t)n, names, &h);
	if (*a->call)
		agent_calls_run(a->calls, a->call);
	*a->call = '\0';
	if (a->frames.len > 0)
		loop_timer_set(a->loop, &a->resync, RESYNC_MS);
	else
		loop_timer_stop(a->loop, &a->resync);
	if (h.ignored > 0)
		diag_info("%s: command '%s' is not known, ignored (%u such)",
		    a->profile->retry.path, h.sample, h.ignored);
	if (h.asked > 0) {
		diag_note("%u retry request%s", h.asked, h.asked == 1 ? "" : "s");
		reconcile_retry(a->reconciler, h.asked, h.again > 0);
		(void)modules_retry(a->modules, NULL);
	}
}

/* The FIFO or the runtime directory may have been removed: without them no retry can be received. */
static void
on_runtime(bool names, void *cookie)
{
	struct agent *a = cookie;
	struct fail f;
	int r;

	(void)names;
	if (loop_is_shutting_down(a->loop))
		return;
	loop_unwatch(a->loop, runtime_pipe(a->runtime));
	r = runtime_repair(a->runtime, a->profile, &f);
	if (r < 0) {
		fail_tell(&f, NULL);
		loop_shutdown(a->loop, EXIT_TROUBLE);
		return;
	}
	loop_watch(a->loop, runtime_pipe(a->runtime), POLLIN, on_command, a);
	if (r == 0)
		return;
	diag_info("%s: was removed; created again", a->profile->retry.path);
	reconcile_publish(a->reconciler);
}

/* agent.conf, overridden by the options. */
static int
load_config(const struct agent *a, struct agent_config *c, struct fail *f)
{
	int r = agent_config_load(c, f);

	if (r < 0)
		return r;
	/* there is no default for a user as which programs run */
	if (geteuid() == 0 && !c->handler_user) {
		agent_config_release(c);
		r = fail_set(f, EXIT_USAGE, "agent.conf: handler-user is not set");
		fail_hint(f, "set handler-user to the user that runs the programs of updates, such as root");
		return r;
	}
	if (c->allow_unsigned)
		diag_info("allow-unsigned is set: goals without a signature are accepted");
	if (a->jobs)
		c->jobs = a->jobs;
	return 0;
}

/* Open the goal named by --goal, else by C; none is no error. */
static int
open_source(struct agent *a, const struct agent_config *c, struct goal_source **out, struct fail *f)
{
	_cleanup_free_ char *dir = xasprintf("%s/link", a->state);
	const struct goal_source_spec spec = { .url = a->goal ? a->goal : c->goal, .dir = dir, .link = &a->config.link,
	    .changed = on_goal, .failed = on_source_failed, .cookie = a };

	*out = NULL;
	return spec.url ? goal_source_open(a->loop, &spec, out, f) : 0;
}

/* SIGHUP: a configuration that is wrong is reported, and the old one stays. */
static void
on_reload(void *cookie)
{
	struct agent *a = cookie;
	struct agent_config c;
	struct goal_source *source;
	struct fail f;
	int r = load_config(a, &c, &f);

	if (r == 0 && (r = open_source(a, &c, &source, &f)) < 0)
		agent_config_release(&c);
	if (r < 0) {
		fail_tell(&f, NULL);
		diag_info("configuration unchanged");
		return;
	}
	goal_source_close(a->source);
	a->source = source;
	agent_config_release(&a->config);
	a->config = c;
	diag_info("configuration reloaded");
	reconcile_set_source(a->reconciler, source ? goal_source_path(source) : NULL,
	    source ? goal_source_name(source) : NULL);
	reconcile_retry(a->reconciler, 1, false);
	if (!a->once)
		modules_reload(a->modules);
}

/* SIGHUP that is ignored at the start, as by nohup(1), stays ignored; with a terminal it ends the session. */
static void
handle_hangup(struct agent *a)
{
	_cleanup_fd_ int tty = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	struct sigaction sa;

	if (sigaction(SIGHUP, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
		loop_signal(a->loop, SIGHUP, tty >= 0 ? on_signal : on_reload, a);
}

static void
open_all(struct agent *a, char *const *inventories)
{
	struct reconcile_spec spec = {
		.config = &a->config, .state = a->state,
		.inventory = { .inventories = inventories, .group = a->profile->gid },
		.publish = on_publish, .busy = on_busy, .log = on_log, .settled = on_settled,
		.restart = on_restart, .modules = on_modules, .refresh = on_refresh, .once = a->once, .cookie = a,
	};
	struct fail f;

	if (open_source(a, &a->config, &a->source, &f) < 0)
		fail_die(&f);
	if (!a->source) {
		diag_info("no goal: neither --goal nor 'goal' of agent.conf is set");
		diag_hint("'rejoin-goal make' writes a goal, and agent.conf names it: goal = file:PATH");
	}
	spec.goal = a->source ? goal_source_path(a->source) : NULL;
	spec.goal_name = a->source ? goal_source_name(a->source) : NULL;
	if (runtime_open(a->profile, a->config.fifo_uid, a->config.fifo_gid, &a->runtime, &f) < 0 ||
	    reconcile_new(a->loop, &spec, &a->reconciler, &f) < 0 ||
	    modules_new(a->loop, &(struct modules_spec){ .config = &a->config, .state = a->state, .paused = on_paused,
	    .log = on_log, .cookie = a }, &a->modules, &f) < 0)
		fail_die(&f);
	a->calls = agent_calls_new(a->loop, &(struct agent_calls_spec){ .profile = a->profile, .config = &a->config,
	    .state = a->state, .modules = a->modules, .outcome = on_call_outcome, .log = on_log, .cookie = a });
}

static void
agent_start(struct agent *a)
{
	struct status s = { .running = 1, .pid = getpid() };
	char now[CLOCK_TEXT];

	snprintf(s.agent, sizeof s.agent, "%s", a->profile->name);
	snprintf(s.since, sizeof s.since, "%s", clock_now(now));
	incarnation_of(getpid(), s.incarnation);
	loop_signal(a->loop, SIGINT, on_signal, a);
	loop_signal(a->loop, SIGTERM, on_signal, a);
	handle_hangup(a);
	loop_watch(a->loop, runtime_pipe(a->runtime), POLLIN, on_command, a);
	a->filewatch = filewatch_new(a->loop, RUNTIME_POLL_MS);
	filewatch_add(a->filewatch, a->profile->retry.path, FILEWATCH_PATH, on_runtime, a);
	filewatch_add(a->filewatch, a->profile->status.path, FILEWATCH_PATH, on_runtime, a);
	/* what runs is adopted before a goal can ask for it */
	if (!a->once)
		modules_start(a->modules);
	reconcile_start(a->reconciler, &s);
	sdnotify("READY=1");
}

static void
agent_release(struct agent *a)
{
	loop_timer_stop(a->loop, &a->resync);
	filewatch_free(a->filewatch);
	goal_source_close(a->source);
	agent_calls_free(a->calls);
	modules_free(a->modules);
	reconcile_free(a->reconciler);
	runtime_close(a->runtime);
	agent_config_release(&a->config);
	free(a->state);
	profile_free(a->profile);
	loop_free(a->loop);
}

static void
parse_options(struct agent *a, int argc, char *argv[], const char **name)
{
	struct opt_scan s;
	int key;

	opt_begin(&s, argc, argv, &tool);
	while ((key = opt_next(&s)) != -1)
		switch (key) {
		case 'A':
			*name = s.arg;
			break;
		case 'j':
			a->jobs = opt_number(&s, 1, 256);
			break;
		case OPT_GOAL:
			a->goal = s.arg;
			break;
		case OPT_STATE:
			free(a->state);
			a->state = xstrdup(s.arg);
			break;
		case OPT_ONCE:
			a->once = true;
			break;
		case OPT_VERIFY:
			a->verify = s.arg;
			break;
		default:
			abort();
		}
	opt_no_operands(&s);
}

/* What is in the goal, and an end with the status that says whether it may be trusted. */
NORETURN static void
verify_file(const char *path)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct fail f = { .status = EXIT_OK };
	int r = verify_goal(path, &out, &f);

	fwrite(out.s, 1, out.len, stdout);
	if (r < 0)
		fail_tell(&f, NULL);
	finish(r < 0 ? f.status : EXIT_OK);
}

int
main(int argc, char *argv[])
{
	struct agent a = { .loop = NULL, .resync = { .fn = on_resync, .cookie = &a } };
	const char *name = NULL;
	struct fail f;
	int status;

	diag_init(argv);
	parse_options(&a, argc, argv, &name);
	if (a.verify)
		verify_file(a.verify);
	a.profile = profile_load_or_die(name);
	if (load_config(&a, &a.config, &f) < 0)
		fail_die(&f);
	/* reported as errors of write(2) instead */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (!a.state)
		a.state = agent_config_state_dir();
	/* probes and handlers inherit it; a handler that needs setuid programs is configured so */
	if (!a.config.new_privileges)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	a.loop = loop_new();
	open_all(&a, (char *[]){ a.profile->inventory, NULL });
	agent_start(&a);
	status = loop_run(a.loop);
	if (a.once && status == EXIT_TROUBLE && a.goal)
		diag_hint("'rejoin-goal check FILE' reviews a goal, and 'rejoin-goal make' writes one");
	else if (a.once && status == EXIT_TROUBLE)
		diag_hint("rejoin-doctor -A %s config says what is wrong with the goal and its place", a.profile->name);
	agent_release(&a);
	finish((enum exit_status)status);
}
