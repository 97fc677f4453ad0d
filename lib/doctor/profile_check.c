#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/status.h"
#include "agent/systemd.h"
#include "base/dirs.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "doctor/checks.h"
#include "doctor/presence.h"
#include "doctor/program.h"

enum { SYSTEMCTL_MS = 5000 };

/* "FILE: KEY", the object of a finding about KEY ("[retry] argv") of the profile. */
static char *
object_of_key(const struct doctor_run *x, const char *key)
{
	return xasprintf("%s: %s", x->profile->file, key);
}

static void
test_owners(struct doctor_run *x)
{
	const struct profile *p = x->profile;

	if (p->user && p->uid == (uid_t)-1) {
		doctor_fail(x, p->file, "no such user: '%s'", p->user);
		doctor_advise(x, "install the agent, or correct [agent] user: until then the tools refuse "
		    "this profile");
	}
	if (p->group && p->gid == (gid_t)-1) {
		doctor_fail(x, p->file, "no such group: '%s'", p->group);
		doctor_advise(x, "install the agent, or correct [agent] group: until then the tools refuse "
		    "this profile");
	}
}

static void
test_unit(struct doctor_run *x, const char *key, const char *unit)
{
	_cleanup_free_ char *where = object_of_key(x, key);
	struct systemd_unit u;
	struct fail f;

	if (access("/run/systemd/system", F_OK) < 0) {
		if (presence_has_unit_file(unit))
			return;
		doctor_warn(x, where, "%s: no such unit file, and systemd is not running here", unit);
		doctor_advise(x, "install the agent, or correct the name");
	} else if (systemd_show(unit, SYSTEMCTL_MS, &u, NULL, &f) < 0) {
		doctor_warn(x, where, "%s: systemd does not answer: %s", unit, f.text);
	} else if (strcmp(u.load, "not-found") == 0) {
		doctor_fail(x, where, "%s: no such unit", unit);
		doctor_advise(x, "install the agent, or correct the name; systemctl daemon-reload if it is new");
	} else if (strcmp(u.load, "masked") == 0) {
		doctor_fail(x, where, "%s: is masked, so it cannot be started", unit);
		doctor_advise(x, "systemctl unmask %s", unit);
	} else if (strcmp(u.load, "loaded") != 0) {
		doctor_fail(x, where, "%s: %s", unit, u.load);
		doctor_advise(x, "systemctl status %s says what is wrong with it", unit);
	}
}

static void
test_argv(struct doctor_run *x, const char *key, char *const *argv)
{
	_cleanup_free_ char *where = object_of_key(x, key);

	if (argv)
		program_test(x, where, *argv, x->profile->gid);
}

/* The file NAME that KEY names must exist; NULL for none. */
static void
test_file(struct doctor_run *x, const char *key, const char *name, const char *advice)
{
	_cleanup_free_ char *where = object_of_key(x, key);

	if (!name || access(name, F_OK) == 0)
		return;
	doctor_fail(x, where, "%s: %s", name, strerror(errno));
	doctor_advise(x, "%s", advice);
}

static void
test_program(struct doctor_run *x, const char *key, const char *name)
{
	_cleanup_free_ char *where = object_of_key(x, key);

	if (name)
		program_test(x, where, name, x->profile->gid);
}

static void
test_token(struct doctor_run *x, const char *key, const char *path)
{
	_cleanup_free_ char *where = object_of_key(x, key);
	_cleanup_secret_ struct secret token = SECRET_NONE;
	struct fail f;

	if (!path)
		return;
	secret_guard();
	if (secret_load(path, &token, &f) == 0)
		return;
	doctor_fail_as(x, where, &f);
	doctor_advise(x, "the file must hold one line, have mode 0600 and be owned by root or the caller");
}

static void
test_retry(struct doctor_run *x)
{
	const struct profile_retry *r = &x->profile->retry;

	switch (r->method) {
	case RETRY_NONE:
		doctor_warn(x, x->profile->file, "[retry] has no method: rejoin-retry cannot reach this agent");
		doctor_advise(x, "nothing to do if the agent polls for deployments by itself");
		break;
	case RETRY_EXEC:
		test_argv(x, "[retry] argv", r->argv);
		break;
	case RETRY_SIGNAL:
		test_program(x, "[retry] exe", r->exe);
		break;
	case RETRY_HTTP:
		test_token(x, "[retry] token-file", r->http.token_file);
		test_file(x, "[retry] ca-file", r->http.ca_file, "correct it, or leave it out");
		break;
	case RETRY_FIFO:	/* see fifo_check.c */
		break;
	}
}

static void
test_restart_method(struct doctor_run *x, const struct profile_restart *r)
{
	if (strcmp(r->method, "systemd") == 0) {
		test_program(x, "[restart] method", "systemctl");
	} else if (strcmp(r->method, "s6") == 0) {
		test_program(x, "[restart] method", "s6-svc");
		test_file(x, "[restart] service", r->service, "start s6-svscan, or correct the name");
	} else if (strcmp(r->method, "exec") == 0) {
		test_argv(x, "[restart] argv", r->argv);
		test_program(x, "[restart] exe", r->exe);
	} else if (strcmp(r->method, "signal") == 0) {
		test_argv(x, "[restart] start", r->start);
		test_program(x, "[restart] exe", r->exe);
	} else if (strcmp(r->method, "http") == 0) {
		test_token(x, "[restart] token-file", r->http.token_file);
		test_file(x, "[restart] ca-file", r->http.ca_file, "correct it, or leave it out");
	} else if (strcmp(r->method, "impcentral") == 0) {
		_cleanup_free_ char *account = r->account ? xstrdup(r->account) :
		    xasprintf("%s/impcentral.conf", dirs_config());

		test_file(x, "[restart] account", account, "create it, with login-key-file = in it");
	}
}

static void
test_restart(struct doctor_run *x)
{
	const struct profile_restart *r = &x->profile->restart;

	if (!r->method) {
		doctor_warn(x, x->profile->file, "[restart] has no method: rejoin-restart cannot restart it");
		doctor_advise(x, "add one if the agent can be restarted; rejoin(7) lists the methods");
		return;
	}
	test_restart_method(x, r);
	if (r->ready == READY_PROBE)
		test_argv(x, "[restart] ready", r->ready_probe);
}

/* Sources on the network are not checked. */
static bool
is_remote(const char *path)
{
	return strncmp(path, "impcentral:", 11) == 0 || strncmp(path, "http://", 7) == 0 ||
	    strncmp(path, "https://", 8) == 0;
}

static void
test_files(struct doctor_run *x, const char *where, const char *pattern)
{
	glob_t g;

	if (glob(pattern, GLOB_NOSORT, NULL, &g) == 0) {
		globfree(&g);
		return;
	}
	doctor_warn(x, where, "no readable file matches %s", pattern);
	doctor_advise(x, "an agent that never ran has none; otherwise correct path =");
}

static void
test_logs(struct doctor_run *x)
{
	const struct profile *p = x->profile;

	for (size_t i = 0; i < p->n_logs; i++) {
		const struct profile_log *log = &p->logs[i];
		_cleanup_free_ char *key = xasprintf("[log.%s]", log->name);
		_cleanup_free_ char *where = object_of_key(x, key);
		_cleanup_free_ char *base = log->format ? xasprintf("%s.conf", log->format) : NULL;
		_cleanup_free_ char *file = base ? dirs_find("formats.d", base) : NULL;

		if (base && !file) {
			doctor_fail(x, where, "no such log format: '%s'", log->format);
			doctor_advise(x, "correct format =, or create %s/formats.d/%s", dirs_config(), base);
		}
		if (!log->path && !log->journal) {
			doctor_fail(x, where, "has neither a path nor a journal");
			doctor_advise(x, "add one of them");
		}
		if (log->journal && (!p->unit || strcmp(log->journal, p->unit) != 0))
			test_unit(x, key, log->journal);
		if (log->path && !is_remote(log->path))
			test_files(x, where, log->path);
	}
}

static void
test_status(struct doctor_run *x)
{
	const struct profile *p = x->profile;
	struct status s;
	struct fail f;

	if (p->status.method == STATUS_EXEC)
		test_argv(x, "[status] argv", p->status.argv);
	else if (p->status.method == STATUS_DBUS)
		test_program(x, "[status] method", "busctl");
	else if (p->status.method == STATUS_SYSTEMD)
		test_program(x, "[status] method", "systemctl");
	if (p->status.method == STATUS_NONE) {
		doctor_warn(x, p->file, "[status] has no method: it is unknown whether the agent is busy");
		doctor_advise(x, "add one if the agent reports its state; rejoin(7) lists the methods");
	} else if (status_read(p, &s, &f) < 0) {
		doctor_fail_as(x, p->file, &f);
		doctor_advise(x, "see [status]");
	} else if (s.running != 0 && s.state == AGENT_UNKNOWN) {
		doctor_warn(x, p->file, "[status] does not yield the agent's state%s%s",
		    *s.note ? ": " : "", s.note);
		doctor_advise(x, "correct [status]; try its command or request by hand");
	}
}

void
profile_check_run(struct doctor_run *x)
{
	const size_t first = x->n;

	if (!x->profile) {
		doctor_fail_as(x, x->agent, &x->profile_fail);
		if (x->profile_fail.status == EXIT_DENIED)
			doctor_advise(x, "it can name programs to run: check its content, then make it and its "
			    "directory writable by root alone (chown root, chmod go-w)");
		else
			doctor_advise(x, "correct it: keys and values are in rejoin(7)");
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
		doctor_ok(x, x->profile->file, "all files, units and programs that it names exist");
}
