/*
 * What the sandbox of the toolkit's units forbids that the profile or its inventory
 * needs.  The settings are those that the service manager has loaded, or else those
 * of the unit file, so a drop-in that allows it is seen.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/command.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "component/inventory.h"
#include "doctor/checks.h"
#include "doctor/program.h"

enum { SYSTEMCTL_MS = 5000, SCRIPT_MAX = 65536 };

/* A unit of the toolkit that runs programs of the profile. */
struct unit_sandbox {
	struct doctor_run *x;
	char *unit;
	bool no_jit, private_tmp, no_home, no_devices, no_setuid;
	bool found;
};

/* Programs that generate code at run time. */
static const char *const jit_names[] = {
	"java", "node", "nodejs", "dotnet", "mono", "luajit", "pypy", "pypy3", "erl", "beam.smp", NULL
};

/* Programs that change the user. */
static const char *const setuid_names[] = { "su", "sudo", "runuser", "setpriv", NULL };

/* --- the settings */

static bool
has_line(const char *text, const char *line)
{
	const size_t n = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && (at[n] == '\n' || !at[n]))
			return true;
	return false;
}

static bool
is_set(const char *text, const char *key)
{
	_cleanup_free_ char *line = xasprintf("%s=yes", key);

	return has_line(text, line);
}

/* Read the settings of S->unit; false where there is no service manager or no such unit. */
static bool
read_settings(struct unit_sandbox *s)
{
	const char *argv[] = { "systemctl", "show", "--property=LoadState,MemoryDenyWriteExecute,PrivateTmp,"
	    "ProtectHome,PrivateDevices,CapabilityBoundingSet", "--", s->unit, NULL };
	_cleanup_buf_ struct buf b = BUF_INIT;
	const char *caps;
	struct fail f;

	if (command_capture(argv, SYSTEMCTL_MS, &b, &f) != 0 || !has_line(b.s, "LoadState=loaded"))
		return false;
	s->no_jit = is_set(b.s, "MemoryDenyWriteExecute");
	s->private_tmp = is_set(b.s, "PrivateTmp");
	s->no_home = is_set(b.s, "ProtectHome") || has_line(b.s, "ProtectHome=tmpfs");
	s->no_devices = is_set(b.s, "PrivateDevices");
	caps = strstr(b.s, "CapabilityBoundingSet=");
	s->no_setuid = caps && !memmem(caps, strcspn(caps, "\n"), "cap_setuid", 10);
	return true;
}

/* --- what is needed */

static void
report_forbidden(struct unit_sandbox *s, const char *setting, const char *what, const char *where, const char *line)
{
	s->found = true;
	doctor_fail(s->x, where, "%s: %s forbids %s", s->unit, setting, what);
	doctor_advise(s->x, "systemctl edit %s, with the lines \"[Service]\" and \"%s\"", s->unit, line);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *
find_name(const char *const *names, const char *name, size_t n)
{
	for (; *names; names++)
		if (strlen(*names) == n && memcmp(*names, name, n) == 0)
			return *names;
	return NULL;
}

/* The first word of the script TEXT, or of its "#!" line, that is one of NAMES. */
static const char *
find_in_script(const char *const *names, const char *text)
{
	static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	while (*text) {
		size_t n = strspn(text, word);
		const char *found = n ? find_name(names, text, n) : NULL;

		if (found)
			return found;
		text += n ? n : 1;
	}
	return NULL;
}

/* Which of NAMES does the program FILE run: itself, by a link, or as a script?  NULL for none. */
static const char *
find_use(const char *const *names, const char *file)
{
	_cleanup_free_ char *real = realpath(file, NULL), *text = NULL;
	const char *found = find_name(names, base_name(file), strlen(base_name(file)));
	_cleanup_fd_ int fd = -1;
	ssize_t n;

	if (!found && real)
		found = find_name(names, base_name(real), strlen(base_name(real)));
	if (found || (fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		return found;
	text = xcalloc(1, SCRIPT_MAX + 1);
	n = io_read(fd, text, SCRIPT_MAX);
	return n > 2 && memcmp(text, "#!", 2) == 0 ? find_in_script(names, text) : NULL;
}

static void
check_path(struct unit_sandbox *s, const char *where, const char *path)
{
	if (s->private_tmp && (strncmp(path, "/tmp/", 5) == 0 || strncmp(path, "/var/tmp/", 9) == 0))
		report_forbidden(s, "PrivateTmp", path, where, "PrivateTmp=no");
	if (s->no_home && (strncmp(path, "/home/", 6) == 0 || strncmp(path, "/root/", 6) == 0 ||
	    strncmp(path, "/run/user/", 10) == 0))
		report_forbidden(s, "ProtectHome", path, where, "ProtectHome=read-only");
	if (s->no_devices && strncmp(path, "/dev/", 5) == 0 && strcmp(path, "/dev/null") != 0)
		report_forbidden(s, "PrivateDevices", path, where, "PrivateDevices=no");
}

static void
check_argv(struct unit_sandbox *s, const char *where, char *const *argv)
{
	_cleanup_free_ char *file = argv && *argv ? program_find(*argv) : NULL;
	const char *use = file ? find_use(jit_names, file) : NULL;

	if (!argv)
		return;
	if (use && s->no_jit)
		report_forbidden(s, "MemoryDenyWriteExecute", use, where, "MemoryDenyWriteExecute=no");
	use = file ? find_use(setuid_names, file) : NULL;
	if (use && s->no_setuid)
		report_forbidden(s, "CapabilityBoundingSet", use, where, "CapabilityBoundingSet=CAP_SETUID CAP_SETGID");
	if (file)
		check_path(s, where, file);
	for (char *const *a = argv + (*argv != NULL); *a; a++) {
		const char *path = strchr(*a, '/');

		if (path)
			check_path(s, where, path);
	}
}

static void
check_retry_unit(struct unit_sandbox *s)
{
	const struct profile *p = s->x->profile;

	if (p->retry.method == RETRY_EXEC)
		check_argv(s, "[retry] argv", p->retry.argv);
	if (p->status.method == STATUS_EXEC)
		check_argv(s, "[status] argv", p->status.argv);
	if (p->retry.path)
		check_path(s, "[retry] path", p->retry.path);
	if (p->retry.pid_file)
		check_path(s, "[retry] pid-file", p->retry.pid_file);
	if (p->retry.http.token_file)
		check_path(s, "[retry] token-file", p->retry.http.token_file);
	if (p->status.path)
		check_path(s, "[status] path", p->status.path);
	if (p->status.busy_path)
		check_path(s, "[status] busy-path", p->status.busy_path);
}

/* The probes of the inventory. */
static void
check_watch_unit(struct unit_sandbox *s)
{
	const char *path = s->x->profile->inventory;
	struct inventory inv = INVENTORY_INIT;
	_cleanup_buf_ struct buf where = BUF_INIT;
	struct fail f;

	if (!path || inventory_load(path, s->x->profile->gid, &inv, &f) < 0)
		return;
	for (size_t i = 0; i < inv.n; i++) {
		struct json probe = inv.entries[i].probe;
		const size_t n = json_kind(probe) == JSON_ARRAY ? json_count(probe) : 0;
		_cleanup_free_ char **argv = xcalloc(n + 1, sizeof *argv);

		for (size_t k = 0; k < n; k++) {
			_cleanup_json_ struct json word = json_at(probe, k);

			argv[k] = xstrdup(json_get_string(word) ? json_get_string(word) : "");
		}
		buf_reset(&where);
		inventory_where(inv.path, i, inventory_id(&inv, i), &where);
		check_argv(s, where.s, n ? argv : NULL);
		for (size_t k = 0; k < n; k++)
			free(argv[k]);
	}
	inventory_release(&inv);
}

static void
check_unit(struct doctor_run *x, const char *unit, void (*check)(struct unit_sandbox *s))
{
	struct unit_sandbox s = { .x = x, .unit = xasprintf("%s@%s.service", unit, x->profile->name) };

	if (!read_settings(&s))
		doctor_ok(x, s.unit, "no service manager has loaded it");
	else
		check(&s);
	if (!s.found && (s.no_jit || s.private_tmp || s.no_home || s.no_devices || s.no_setuid))
		doctor_ok(x, s.unit, "forbids nothing that the profile is known to need");
	free(s.unit);
}

void
hardening_check_run(struct doctor_run *x)
{
	check_unit(x, "rejoin-retry", check_retry_unit);
	check_unit(x, "rejoin-watch", check_watch_unit);
}
