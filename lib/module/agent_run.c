#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/runtime.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/sdnotify.h"
#include "base/xalloc.h"
#include "deploy/agent_config.h"
#include "deploy/command_pipe.h"
#include "deploy/goal_source.h"
#include "deploy/reconcile.h"
#include "module/agent_calls.h"
#include "module/agent_run.h"
#include "module/modules.h"

struct agent_run {
	struct agent_run_spec spec;
	struct loop *loop;
	struct agent_config config;
	struct runtime *runtime;
	struct goal_source *source;
	struct reconciler *reconciler;
	struct modules *modules;
	struct agent_calls *calls;
	struct command_pipe *pipe;
	bool paused;		/* the modules are */
	int once_status;
};

/* --- what the reconciler and the modules tell */

static void
on_publish(const struct status *s, void *cookie)
{
	struct agent_run *a = cookie;
	int r = runtime_publish(a->runtime, s);

	if (r < 0)
		diag(r, "%s", a->spec.profile->status.path);
	if (s->state == AGENT_STOPPING)
		sdnotify("STOPPING=1");
}

static void
on_busy(bool busy, void *cookie)
{
	struct agent_run *a = cookie;

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
	struct agent_run *a = cookie;

	loop_shutdown(a->loop, a->once_status);
}

static void
on_settled(enum exit_status status, void *cookie)
{
	struct agent_run *a = cookie;

	if (!a->spec.once)
		return;
	a->once_status = (int)status;
	reconcile_flush(a->reconciler, on_flushed, a);
}

/* Only under a supervisor, which starts the agent again; else the status reports "needs-restart". */
static void
on_restart(void *cookie)
{
	struct agent_run *a = cookie;

	if (!getenv("INVOCATION_ID"))
		return;
	diag_info("an update asks for a restart of the agent");
	loop_shutdown(a->loop, EXIT_TROUBLE);
}

/* It is said at once: the instances may take their time to end. */
static void
on_signal(void *cookie)
{
	struct agent_run *a = cookie;

	if (!loop_is_shutting_down(a->loop))
		reconcile_stop(a->reconciler);
	loop_shutdown(a->loop, EXIT_OK);
}

/* With --once no module is started: nothing would be there to end it. */
static void
on_modules(struct module_manifest *m, void *cookie)
{
	struct agent_run *a = cookie;

	if (!a->spec.once) {
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
	struct agent_run *a = cookie;

	reconcile_look(a->reconciler);
}

static void
on_refreshed(void *cookie)
{
	struct agent_run *a = cookie;

	reconcile_refreshed(a->reconciler);
}

static bool
on_refresh(void *cookie)
{
	struct agent_run *a = cookie;

	return a->source && goal_source_refresh(a->source, on_refreshed, a);
}

/* The server that the goal comes from cannot be reached, or can be again. */
static void
on_source_failed(const struct fail *f, void *cookie)
{
	struct agent_run *a = cookie;

	reconcile_note(a->reconciler, f ? f->text : "");
}

static void
on_paused(bool paused, void *cookie)
{
	struct agent_run *a = cookie;

	a->paused = paused;
	reconcile_tell(a->reconciler, paused, NULL);
}

static void
on_call_outcome(const char *text, void *cookie)
{
	struct agent_run *a = cookie;

	reconcile_tell(a->reconciler, a->paused, text);
}

/* --- what comes through the pipe */

static void
on_retry(unsigned n, bool anew, void *cookie)
{
	struct agent_run *a = cookie;

	reconcile_retry(a->reconciler, n, anew);
	(void)modules_retry(a->modules, NULL);
}

static void
on_instance(const char *name, void *cookie)
{
	struct agent_run *a = cookie;

	if (modules_retry(a->modules, name))
		diag_note("instance %s: retry request", name);
	else
		diag_info("instance %s: retry request, but there is no such instance", name);
}

static void
on_call(const char *call, void *cookie)
{
	struct agent_run *a = cookie;

	agent_calls_run(a->calls, call);
}

static void
on_repaired(void *cookie)
{
	struct agent_run *a = cookie;

	reconcile_publish(a->reconciler);
}

/* --- the configuration */

/* agent.conf, overridden by the options. */
static int
load_config(const struct agent_run *a, struct agent_config *c, struct fail *f)
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
	if (a->spec.jobs)
		c->jobs = a->spec.jobs;
	return 0;
}

/* Open the goal named by --goal, else by C; none is no error. */
static int
open_source(struct agent_run *a, const struct agent_config *c, struct goal_source **out, struct fail *f)
{
	_cleanup_free_ char *dir = xasprintf("%s/link", a->spec.state);
	const struct goal_source_spec spec = { .url = a->spec.goal ? a->spec.goal : c->goal, .dir = dir, .link = &a->config.link,
	    .changed = on_goal, .failed = on_source_failed, .cookie = a };

	*out = NULL;
	return spec.url ? goal_source_open(a->loop, &spec, out, f) : 0;
}

/* SIGHUP: a configuration that is wrong is reported, and the old one stays. */
static void
on_reload(void *cookie)
{
	struct agent_run *a = cookie;
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
	if (!a->spec.once)
		modules_reload(a->modules);
}

/* SIGHUP that is ignored at the start, as by nohup(1), stays ignored; with a terminal it ends the session. */
static void
handle_hangup(struct agent_run *a)
{
	_cleanup_fd_ int tty = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	struct sigaction sa;

	if (sigaction(SIGHUP, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
		loop_signal(a->loop, SIGHUP, tty >= 0 ? on_signal : on_reload, a);
}

static int
open_all(struct agent_run *a, struct fail *f)
{
	const struct agent_run_spec *s = &a->spec;
	struct reconcile_spec spec = {
		.config = &a->config, .state = s->state,
		.inventory = { .inventories = s->inventories, .group = s->profile->gid },
		.publish = on_publish, .busy = on_busy, .log = on_log, .settled = on_settled,
		.restart = on_restart, .modules = on_modules, .refresh = on_refresh, .once = s->once, .cookie = a,
	};
	int r = open_source(a, &a->config, &a->source, f);

	if (r < 0)
		return r;
	if (!a->source) {
		diag_info("no goal: neither --goal nor 'goal' of agent.conf is set");
		diag_hint("'rejoin-goal make' writes a goal, and agent.conf names it: goal = file:PATH");
	}
	spec.goal = a->source ? goal_source_path(a->source) : NULL;
	spec.goal_name = a->source ? goal_source_name(a->source) : NULL;
	r = runtime_open(s->profile, a->config.fifo_uid, a->config.fifo_gid, &a->runtime, f);
	if (r == 0)
		r = reconcile_new(a->loop, &spec, &a->reconciler, f);
	if (r == 0)
		r = modules_new(a->loop, &(struct modules_spec){ .config = &a->config, .state = s->state,
		    .paused = on_paused, .log = { diag_log, NULL }, .cookie = a }, &a->modules, f);
	if (r < 0)
		return r;
	a->calls = agent_calls_new(a->loop, &(struct agent_calls_spec){ .profile = s->profile, .config = &a->config,
	    .state = s->state, .modules = a->modules, .outcome = on_call_outcome, .log = on_log, .cookie = a });
	return 0;
}

static void
agent_begin(struct agent_run *a)
{
	const struct command_pipe_callbacks commands = { on_retry, on_instance, on_call, on_repaired, a };
	struct status s = { .running = 1, .pid = getpid() };
	char now[CLOCK_TEXT];

	snprintf(s.agent, sizeof s.agent, "%s", a->spec.profile->name);
	snprintf(s.since, sizeof s.since, "%s", clock_now(now));
	incarnation_of(getpid(), s.incarnation);
	loop_signal(a->loop, SIGINT, on_signal, a);
	loop_signal(a->loop, SIGTERM, on_signal, a);
	handle_hangup(a);
	a->pipe = command_pipe_new(a->loop, a->spec.profile, a->runtime, &commands);
	/* what runs is adopted before a goal can ask for it */
	if (!a->spec.once)
		modules_start(a->modules);
	reconcile_start(a->reconciler, &s);
	sdnotify("READY=1");
}

static void
agent_release(struct agent_run *a)
{
	command_pipe_free(a->pipe);
	goal_source_close(a->source);
	agent_calls_free(a->calls);
	modules_free(a->modules);
	reconcile_free(a->reconciler);
	runtime_close(a->runtime);
	agent_config_release(&a->config);
	loop_free(a->loop);
}

int
agent_run(const struct agent_run_spec *spec, struct fail *f)
{
	struct agent_run a = { .spec = *spec };
	int r = load_config(&a, &a.config, f);

	if (r < 0)
		return r;
	/* reported as errors of write(2) instead */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* probes and handlers inherit it; a handler that needs setuid programs is configured so */
	if (!a.config.new_privileges)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	a.loop = loop_new();
	r = open_all(&a, f);
	if (r == 0) {
		agent_begin(&a);
		r = loop_run(a.loop);
	}
	agent_release(&a);
	return r;
}
