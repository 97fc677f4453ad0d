#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/status.h"
#include "base/dirs.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "doctor/checks.h"
#include "doctor/program.h"

enum { SYSTEMCTL_MS = 5000, OUT_MAX = 4096 };

/* "[retry] argv", for messages, as WHERE of the profile's file. */
static char *
place(const struct exam *x, const char *key)
{
	return xasprintf("%s: %s", x->profile->file, key);
}

static void
test_owners(struct exam *x)
{
	const struct profile *p = x->profile;

	if (p->user && p->uid == (uid_t)-1) {
		exam_fail(x, p->file, "there is no user '%s'", p->user);
		exam_advise(x, "install the agent, or correct [agent] user: until then the tools refuse "
		    "this profile");
	}
	if (p->group && p->gid == (gid_t)-1) {
		exam_fail(x, p->file, "there is no group '%s'", p->group);
		exam_advise(x, "install the agent, or correct [agent] group: until then the tools refuse "
		    "this profile");
	}
}

/* What systemd says of UNIT's PROPERTY, into OUT; false where it says nothing. */
static bool
ask_systemd(const char *unit, const char *property, struct buf *out)
{
	char *const argv[] = { (char[]){ "systemctl" }, (char[]){ "show" }, (char[]){ "--value" },
	    (char[]){ "-p" }, xstrdup(property), (char[]){ "--" }, xstrdup(unit), NULL };
	const struct spawn_spec spec = { .argv = argv, .timeout_ms = SYSTEMCTL_MS, .grace_ms = 1000,
	    .out_max = OUT_MAX };
	struct spawn_result r;

	spawn_run(&spec, &r);
	buf_reset(out);
	if (r.status == 0)
		buf_add(out, r.out.s, strcspn(r.out.s, "\n"));
	buf_release(&r.out);
	buf_release(&r.err);
	free(argv[4]);
	free(argv[6]);
	return r.status == 0;
}

/* As well as it can be told without systemd: are there files of it where units are? */
static bool
has_unit_file(const char *unit)
{
	static const char *const dirs[] = { "/etc/systemd/system", "/run/systemd/system",
	    "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system" };
	_cleanup_free_ char *template = xstrdup(unit);
	char *at = strchr(template, '@'), *dot = strrchr(unit, '.');

	if (at && dot)
		strcpy(at + 1, dot);
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dirs[i], unit);
		_cleanup_free_ char *general = xasprintf("%s/%s", dirs[i], template);

		if (access(path, F_OK) == 0 || access(general, F_OK) == 0)
			return true;
	}
	return false;
}

static void
test_unit(struct exam *x, const char *key, const char *unit)
{
	_cleanup_free_ char *where = place(x, key);
	_cleanup_buf_ struct buf state = BUF_INIT;

	if (access("/run/systemd/system", F_OK) < 0) {
		if (has_unit_file(unit))
			return;
		exam_warn(x, where, "%s: there is no unit of that name, and systemd does not run here", unit);
		exam_advise(x, "install the agent, or correct the name");
		return;
	}
	if (!ask_systemd(unit, "LoadState", &state)) {
		exam_warn(x, where, "%s: systemd does not answer", unit);
		return;
	}
	if (strcmp(state.s, "not-found") == 0) {
		exam_fail(x, where, "%s: systemd knows no unit of that name", unit);
		exam_advise(x, "install the agent, or correct the name; systemctl daemon-reload if it is new");
	} else if (strcmp(state.s, "masked") == 0) {
		exam_fail(x, where, "%s: is masked, so nothing starts it", unit);
		exam_advise(x, "systemctl unmask %s", unit);
	} else if (strcmp(state.s, "loaded") != 0) {
		exam_fail(x, where, "%s: %s", unit, state.s);
		exam_advise(x, "systemctl status %s says what is wrong with it", unit);
	}
}

static void
test_argv(struct exam *x, const char *key, char *const *argv)
{
	_cleanup_free_ char *where = place(x, key);

	if (argv)
		program_test(x, where, *argv, x->profile->gid);
}

static void
test_tool(struct exam *x, const char *key, const char *name)
{
	_cleanup_free_ char *where = place(x, key);

	program_test(x, where, name, (gid_t)-1);
}

static void
test_retry(struct exam *x)
{
	const struct profile_retry *r = &x->profile->retry;

	if (r->method == RETRY_NONE) {
		exam_warn(x, x->profile->file, "[retry] has no method: rejoin-retry cannot ask this agent");
		exam_advise(x, "where the agent looks by itself, nothing is to be done");
	}
	test_argv(x, "[retry] argv", r->argv);
	if (r->exe) {
		_cleanup_free_ char *where = place(x, "[retry] exe");

		program_test(x, where, r->exe, x->profile->gid);
	}
}

static void
test_restart(struct exam *x)
{
	const char *method = x->profile->restart.method;

	if (!method) {
		exam_warn(x, x->profile->file, "[restart] has no method: rejoin-restart cannot restart it");
		exam_advise(x, "add one, if there is a way");
	} else if (strcmp(method, "systemd") == 0) {
		test_tool(x, "[restart] method", "systemctl");
		if (!x->profile->unit) {
			exam_fail(x, x->profile->file, "[restart] method = systemd, and [agent] names no unit");
			exam_advise(x, "add unit = to [agent]");
		}
	} else if (strcmp(method, "s6") == 0) {
		test_tool(x, "[restart] method", "s6-svc");
	}
}

static void
test_logs(struct exam *x)
{
	const struct profile *p = x->profile;

	for (size_t i = 0; i < p->n_logs; i++) {
		const struct profile_log *log = &p->logs[i];
		_cleanup_free_ char *key = xasprintf("[log.%s]", log->name);
		_cleanup_free_ char *where = place(x, key);
		_cleanup_free_ char *base = log->format ? xasprintf("%s.conf", log->format) : NULL;
		_cleanup_free_ char *file = base ? dirs_find("formats.d", base) : NULL;
		glob_t g;

		if (base && !file) {
			exam_fail(x, where, "there is no log format '%s'", log->format);
			exam_advise(x, "correct format =, or describe it in %s/formats.d/%s", dirs_config(),
			    base);
		}
		if (!log->path && !log->journal) {
			exam_fail(x, where, "has neither a path nor a journal");
			exam_advise(x, "add one of them");
		}
		if (!log->path || glob(log->path, GLOB_NOSORT, NULL, &g) == 0) {
			if (log->path)
				globfree(&g);
			continue;
		}
		exam_warn(x, where, "no file is there: %s", log->path);
		exam_advise(x, "an agent that never ran has none; else correct path =");
	}
}

static void
test_status(struct exam *x)
{
	const struct profile *p = x->profile;
	struct status s;
	struct fail f;

	if (p->status.method == STATUS_NONE) {
		exam_warn(x, p->file, "[status] has no method: whether the agent is busy cannot be told");
		exam_advise(x, "add one, if there is a way");
	} else if (status_read(p, &s, &f) < 0) {
		exam_fail_as(x, p->file, &f);
		exam_advise(x, "see [status]");
	} else if (s.running != 0 && s.state == AGENT_UNKNOWN) {
		exam_warn(x, p->file, "[status] does not tell what the agent does%s%s",
		    *s.note ? ": " : "", s.note);
	}
}

void
named_test(struct exam *x)
{
	const size_t first = x->n;

	if (!x->profile) {
		exam_fail_as(x, x->agent, &x->profile_fail);
		if (x->profile_fail.status == EXIT_DENIED)
			exam_advise(x, "it can name programs to run: see what it says, then let nobody else "
			    "write to it and to its directory (chown root, chmod go-w)");
		else
			exam_advise(x, "correct it: keys and values are in rejoin(7)");
		return;
	}
	test_owners(x);
	if (x->profile->unit)
		test_unit(x, "[agent] unit", x->profile->unit);
	test_retry(x);
	test_restart(x);
	test_status(x);
	test_logs(x);
	if (x->n == first)
		exam_ok(x, x->profile->file, "all that it names is there");
}
