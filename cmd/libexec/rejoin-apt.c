/*
 * rejoin-apt - the handler microsoft/apt:1: install packages by apt-get(8).
 *
 *	rejoin-apt --action-ACTION --apt-manifest FILE --result-file FILE ...
 *
 * The step's file says which packages (deploy/apt.h).  They are installed when dpkg(1) says
 * so, whatever was installed how before.  As another user than root it runs apt-get and dpkg by sudo(8).
 * Exit status 0 once the result file is written: the result is in there.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/json.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "deploy/apt.h"
#include "deploy/handler_result.h"

enum { MANIFEST_BYTES = 1 << 20, QUERY_BYTES = 1 << 16, FIXED_MAX = 32, LINE_BYTES = 500, RESTART_NOW = 707 };

/* The Azure agent's codes of this handler. */
enum {
	ERC_APT_DATA = 0x30200002, ERC_APT_FILES = 0x30200004, ERC_APT_DOWNLOAD = 0x30200100, ERC_APT_INSTALL = 0x30200200,
};

struct call {
	const char *action, *manifest, *result_file;
	struct apt_update update;
	struct buf reason;		/* the last line in which apt-get or dpkg says what is wrong */
	struct buf line;		/* what it has begun to say */
};

/* Write the result, and end. */
NORETURN PRINTF(4, 5) static void
result_end(const struct call *c, int32_t code, int32_t erc, const char *fmt, ...)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf text = BUF_INIT;
	_cleanup_free_ char *details = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	details = xvasprintf(fmt, ap);
	va_end(ap);
	json_set(&v, "resultCode", json_number(code));
	json_set(&v, "extendedResultCode", json_number(erc));
	json_set_text(&v, "resultDetails", details);
	json_format(v, &text);
	r = file_replace(c->result_file, text.s, text.len, 0644, 0);
	if (r < 0) {
		diag(-r, "%s", c->result_file);
		finish(EXIT_TROUBLE);
	}
	finish(EXIT_OK);
}

struct program {
	struct call *call;
	struct loop *loop;
	struct buf how;
	int status;
};

/* The agent logs what is printed; of what is wrong one line goes to the result. */
static void
on_output(int fd, const char *p, size_t n, void *cookie)
{
	const struct program *run = cookie;
	struct call *c = run->call;

	(void)fd;
	fwrite(p, 1, n, stdout);
	fflush(stdout);
	for (; n > 0; p++, n--) {
		if (*p != '\n') {
			if (c->line.len < LINE_BYTES)
				buf_putc(&c->line, *p);
			continue;
		}
		if (strncmp(c->line.s, "E: ", 3) == 0 || strncmp(c->line.s, "dpkg: error", 11) == 0) {
			buf_reset(&c->reason);
			buf_add(&c->reason, c->line.s, c->line.len);
		}
		buf_reset(&c->line);
	}
}

static void
on_ended(const struct spawn_result *r, void *cookie)
{
	struct program *run = cookie;

	run->status = r->status;
	spawn_describe(r, &run->how);
	loop_stop(run->loop, 0);
}

/* Run ARGV; 0, or a status with C's REASON set. */
static int
program_run(struct call *c, char *const *argv)
{
	struct program run = { .call = c, .loop = loop_new(), .how = BUF_INIT };

	buf_reset(&c->reason);
	buf_reset(&c->line);
	spawn_start(run.loop, &(struct spawn_spec){ .argv = argv, .err_to_out = true, .output = on_output }, on_ended, &run);
	loop_run(run.loop);
	loop_free(run.loop);
	if (run.status != 0 && c->reason.len == 0)
		buf_printf(&c->reason, "%s %s", *argv, run.how.s);
	buf_release(&run.how);
	return run.status;
}

/* "apt-get WORDS" with our options, and with WITH_PACKAGES the operands. */
static int
apt_run(struct call *c, const char *const *words, bool with_packages)
{
	static const char *const options[] = {
		"apt-get", "-y", "-q", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
		"-o", "DPkg::Lock::Timeout=120", "-o", "APT::Cmd::Pattern-Only=true", "-o", "APT::Get::Allow-Downgrades=true",
		"-o", "Dpkg::Use-Pty=0",
	};
	char **argv = xcalloc(FIXED_MAX + c->update.n + 1, sizeof *argv);
	size_t n = 0;
	int status;

	if (geteuid() != 0) {
		argv[n++] = xstrdup("sudo");
		argv[n++] = xstrdup("-n");
	}
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		argv[n++] = xstrdup(options[i]);
	for (; *words; words++)
		argv[n++] = xstrdup(*words);
	for (size_t i = 0; with_packages && i < c->update.n; i++)
		argv[n++] = apt_package_operand(&c->update.packages[i]);
	status = program_run(c, argv);
	xfree_strv(argv);
	return status;
}

static bool
package_is_met(const struct call *c, const struct apt_package *p, struct buf *why)
{
	char *const argv[] = { (char[]){ "dpkg-query" }, (char[]){ "-W" }, (char[]){ "-f=${db:Status-Status} ${Version}\\n" },
	    (char[]){ "--" }, p->name, NULL };
	struct spawn_result r;
	bool met;

	spawn_run(&(struct spawn_spec){ .argv = argv, .out_max = QUERY_BYTES }, &r);
	/* 1: it is not known */
	if (r.status != 0 && r.status != 1) {
		_cleanup_buf_ struct buf how = BUF_INIT;

		spawn_describe(&r, &how);
		result_end(c, RESULT_FAILURE, 0, "dpkg-query %s%s%s", how.s, r.err.len ? ": " : "", r.err.s);
	}
	met = apt_package_is_met(p, r.out.s, why);
	buf_release(&r.out);
	buf_release(&r.err);
	return met;
}

/* What is not as it is wanted; empty where all is. */
static void
update_check(const struct call *c, struct buf *why)
{
	for (size_t i = 0; i < c->update.n; i++) {
		_cleanup_buf_ struct buf one = BUF_INIT;

		if (!package_is_met(c, &c->update.packages[i], &one))
			buf_printf(why, "%s%s", why->len ? ", " : "", one.s);
	}
}

NORETURN static void
is_installed(const struct call *c)
{
	_cleanup_buf_ struct buf why = BUF_INIT;

	update_check(c, &why);
	result_end(c, why.len ? RESULT_NOT_INSTALLED : RESULT_INSTALLED, 0, "%s", why.s);
}

/* Does sudo(8) work in here?  Not in the agent's own unit, which has NoNewPrivileges=yes. */
static bool
can_become_root(void)
{
	return geteuid() == 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

/* A source that cannot be reached must not keep packages of another from being fetched: only they decide. */
NORETURN static void
download(struct call *c)
{
	if (!can_become_root())
		result_end(c, RESULT_DOWNLOAD_SUCCESS, 0, "%s", "fetched by install: sudo gains no privileges here");
	apt_run(c, (const char *const[]){ "update", NULL }, false);
	if (apt_run(c, (const char *const[]){ "install", "--download-only", "--", NULL }, true) != 0)
		result_end(c, RESULT_FAILURE, ERC_APT_DOWNLOAD, "%s", c->reason.s);
	result_end(c, RESULT_DOWNLOAD_SUCCESS, 0, "%s", "");
}

/* What a run that lost its power has left half configured is configured first, else apt-get refuses to work. */
NORETURN static void
install(struct call *c)
{
	char *const configure[] = { (char[]){ "sudo" }, (char[]){ "-n" }, (char[]){ "dpkg" }, (char[]){ "--configure" },
	    (char[]){ "-a" }, NULL };

	if (!can_become_root())
		result_end(c, RESULT_FAILURE, ERC_APT_INSTALL, "%s", "sudo gains no privileges here: agent.conf needs"
		    " new-privileges = yes, or handler-user = root");
	program_run(c, configure + (geteuid() == 0 ? 2 : 0));
	if (geteuid() != 0)	/* download may not have had the privileges */
		apt_run(c, (const char *const[]){ "update", NULL }, false);
	if (apt_run(c, (const char *const[]){ "install", "--", NULL }, true) != 0)
		result_end(c, RESULT_FAILURE, ERC_APT_INSTALL, "%s", c->reason.s);
	result_end(c, RESULT_INSTALL_SUCCESS, 0, "%s", "");
}

static void
parse_arguments(struct call *c, char **argv)
{
	static const char prefix[] = "--action-";

	for (char **a = argv + 1; *a; a++)
		if (strncmp(*a, prefix, sizeof prefix - 1) == 0)
			c->action = *a + sizeof prefix - 1;
		else if (!a[1])
			break;
		else if (strcmp(*a, "--action") == 0)
			c->action = *++a;
		else if (strcmp(*a, "--apt-manifest") == 0)
			c->manifest = *++a;
		else if (strcmp(*a, "--result-file") == 0)
			c->result_file = *++a;
}

int
main(int argc, char *argv[])
{
	struct call c = { .action = "", .reason = BUF_INIT, .line = BUF_INIT };
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct fail f;

	(void)argc;
	diag_init(argv);
	setenv("DEBIAN_FRONTEND", "noninteractive", 1);
	setenv("APT_LISTCHANGES_FRONTEND", "none", 1);
	setenv("LC_ALL", "C", 1);
	parse_arguments(&c, argv);
	if (!c.result_file)
		fail_die((fail_set(&f, EXIT_USAGE, "no --result-file"), &f));
	if (!c.manifest)
		result_end(&c, RESULT_FAILURE, ERC_APT_FILES, "the step has no file: its APT manifest");
	if (file_load(c.manifest, FILE_NOFOLLOW, MANIFEST_BYTES, &text, &f) < 0)
		result_end(&c, RESULT_FAILURE, ERC_APT_DATA, "%s: cannot be read", c.manifest);
	if (apt_update_parse(strrchr(c.manifest, '/') ? strrchr(c.manifest, '/') + 1 : c.manifest, text.s, text.len, &c.update, &f) < 0)
		result_end(&c, RESULT_FAILURE, ERC_APT_DATA, "%s", f.text);
	if (strcmp(c.action, "is-installed") == 0)
		is_installed(&c);
	if (strcmp(c.action, "download") == 0)
		download(&c);
	if (strcmp(c.action, "install") == 0)
		install(&c);
	if (strcmp(c.action, "apply") == 0)
		result_end(&c, c.update.restarts_agent ? RESTART_NOW : RESULT_APPLY_SUCCESS, 0, "%s", "");
	result_end(&c, RESULT_FAILURE, 0, "no such action: '%s'", c.action);
}
