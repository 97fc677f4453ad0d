/*
 * rejoin - list the tools and what is configured here, or run a tool.
 *
 * "rejoin NAME ARGS" runs rejoin-NAME, "rejoin help NAME" shows its page.  It
 * links libc alone; a tool takes its place, so the status is that of the tool.
 */
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/diag.h"
#include "base/dirs.h"
#include "base/opt.h"
#include "base/spawn.h"
#include "base/suggest.h"
#include "base/table.h"
#include "base/xalloc.h"

static const struct opt opts[] = {
	OPT_HELP, OPT_VERSION, OPT_END
};

static const struct opt_tool tool = {
	.purpose = "list the tools and what is configured here, or run a tool",
	.synopsis = "[--help | --version]\nNAME [ARGS]\nhelp [NAME]",
	.opts = opts,
	.operands = OPT_TOOLS, .words = "help", .stop = "",
	.statuses = "0 listed; 2 usage; 3 trouble; of a tool its own status; 126 it cannot be run; 127 there is none",
	.example = "rejoin status -A adu",
};

/* The tools beside this program, NULL-terminated: their names without "rejoin-". */
static char **
tools_list(const char *dir)
{
	_cleanup_free_ char *pattern = xasprintf("%s/rejoin-*", dir);
	char **v = xcalloc(1, sizeof *v);
	size_t n = 0;
	glob_t g;

	if (glob(pattern, 0, NULL, &g) != 0)
		return v;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *name = strrchr(g.gl_pathv[i], '/') + 1 + strlen("rejoin-");

		if (access(g.gl_pathv[i], X_OK) < 0)
			continue;
		v = xrealloc(v, n + 2, sizeof *v);
		v[n++] = xstrdup(name);
		v[n] = NULL;
	}
	globfree(&g);
	return v;
}

/* --- what there is */

/* The purpose of a tool, from the table that it prints; of what is no tool of ours nothing is known. */
static void
add_purpose(struct table *t, const char *dir, const char *name)
{
	static const char ours[] = " " TOOLS " ";
	_cleanup_free_ char *word = xasprintf(" rejoin-%s ", name);
	_cleanup_free_ char *path = xasprintf("%s/rejoin-%s", dir, name);
	const struct spawn_spec spec = { .argv = (char *[]){ path, (char[]){ "--print-options" }, NULL },
	    .timeout_ms = 5000, .grace_ms = 100, .out_max = 65536 };
	struct spawn_result r;
	char *purpose;

	if (!strstr(ours, word)) {
		table_cell(t, "");
		return;
	}
	spawn_run(&spec, &r);
	purpose = r.status == 0 && strncmp(r.out.s, "tool\t", 5) == 0 ? strchr(r.out.s + 5, '\t') : NULL;
	if (purpose)
		purpose[1 + strcspn(purpose + 1, "\n")] = '\0';
	table_cell(t, purpose ? purpose + 1 : "");
	buf_release(&r.out);
	buf_release(&r.err);
}

static void
list_tools(const char *dir, char *const *names, struct buf *out)
{
	struct table *t = table_new();

	for (; *names; names++) {
		table_cell(t, " ");
		table_cell(t, *names);
		add_purpose(t, dir, *names);
		table_end_row(t);
	}
	table_format(t, out);
	table_free(t);
}

static void
add_row(struct table *t, const char *what, const char *value, const char *note)
{
	_cleanup_free_ char *text = xasprintf("%s%s", value, note);

	table_cell(t, " ");
	table_cell(t, what);
	table_cell(t, text);
	table_end_row(t);
}

/* The profiles that were put into the configuration, and the one that is used without -A. */
static void
list_agents(struct table *t)
{
	_cleanup_free_ char *pattern = xasprintf("%s/agents.d/*.conf", dirs_config());
	_cleanup_free_ char *chosen = profile_default_name();
	struct profile *p = NULL;
	struct fail f;
	glob_t g;

	if (profile_load(chosen, &p, &f) < 0)
		add_row(t, "agent", chosen, ", the default: its profile cannot be used");
	else
		add_row(t, "agent", chosen, ", the default");
	if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++) {
			char *name = basename(g.gl_pathv[i]);

			name[strlen(name) - strlen(".conf")] = '\0';
			if (strcmp(name, chosen) != 0)
				add_row(t, "agent", name, "");
		}
		globfree(&g);
	}
	if (p && p->inventory)
		add_row(t, "inventory", p->inventory, access(p->inventory, F_OK) == 0 ? "" : ", not there yet");
	profile_free(p);
}

/* A unit is enabled by a link, which "systemctl enable" makes. */
static void
list_units(struct table *t)
{
	glob_t g;

	if (glob("/etc/systemd/system/*.wants/rejoin-*", 0, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++)
		add_row(t, "unit", basename(g.gl_pathv[i]), "");
	globfree(&g);
}

static void
list(const char *dir, char *const *names)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct table *t = table_new();

	buf_puts(&out, "Tools: \"rejoin NAME\" runs one, \"rejoin help NAME\" shows its page.\n\n");
	list_tools(dir, names, &out);
	buf_puts(&out, "\nConfigured here:\n\n");
	add_row(t, "directory", dirs_config(), access(dirs_config(), F_OK) == 0 ? "" : ", not there yet");
	list_agents(t);
	list_units(t);
	table_format(t, &out);
	table_free(t);
	buf_puts(&out, "\n\"rejoin doctor\" finds what is missing or wrong.\n");
	fputs(out.s, stdout);
}

/* --- what is run */

static void __attribute__((noreturn))
unknown_tool(const char *name, char *const *names)
{
	_cleanup_buf_ struct buf hint = BUF_INIT;
	struct suggest near;

	suggest_begin(&near, name);
	for (; *names; names++)
		suggest_offer(&near, *names);
	suggest_offer(&near, "help");
	suggest_hint(&near, "tools", &hint);
	opt_passes_on(SPAWN_NOT_FOUND);
	opt_misused_hint(hint.s, "%s: unknown tool", name);
}

static bool
is_in(const char *name, char *const *names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

static void __attribute__((noreturn))
run_tool(const char *dir, char *argv[])
{
	_cleanup_free_ char *path = xasprintf("%s/rejoin-%s", dir, *argv);
	int err;

	*argv = path;
	execv(path, argv);
	err = errno;
	die((enum exit_status)(err == ENOENT ? SPAWN_NOT_FOUND : SPAWN_CANNOT_RUN), err, "%s", path);
}

/* The file of PAGE, in the tree that this was built in or beside it as installed; NULL for none. */
static char *
find_page(const char *dir, const char *page)
{
	const char *tree = dirs_build_tree();
	_cleanup_free_ char *pattern = tree ? xasprintf("%s/man/%s.[1-8]", tree, page) :
	    xasprintf("%s/../share/man/man[1-8]/%s.[1-8]*", dir, page);
	char *path = NULL;
	glob_t g;

	if (glob(pattern, 0, NULL, &g) != 0)
		return NULL;
	/* the last: rejoin(7) and not rejoin(1) */
	path = xstrdup(g.gl_pathv[g.gl_pathc - 1]);
	globfree(&g);
	return path;
}

/* Become man(1); the status where that could not be. */
static int
show_page(const char *dir, const char *name, char *const *names)
{
	const char *of = name && strcmp(name, "help") != 0 ? name : NULL;
	_cleanup_free_ char *page = of ? xasprintf("rejoin-%s", of) : xstrdup("rejoin");
	_cleanup_free_ char *path = find_page(dir, page);
	int err;

	if (!path && of && !is_in(of, names))
		unknown_tool(of, names);
	execlp("man", "man", path ? path : of ? page : "7", path || of ? NULL : page, (char *)NULL);
	err = errno;
	diag(err, "man");
	diag_hint("'rejoin NAME --help' prints the options of a tool");
	return err == ENOENT ? SPAWN_NOT_FOUND : SPAWN_CANNOT_RUN;
}

int
main(int argc, char *argv[])
{
	char self[PATH_MAX];
	struct opt_scan s;
	char **names;
	int status = EXIT_OK;
	ssize_t n;

	diag_init(argv);
	opt_begin(&s, argc, argv, &tool);
	if (opt_next(&s) != -1)
		abort();
	n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n < 0)
		die(EXIT_TROUBLE, errno, "/proc/self/exe");
	self[n] = '\0';
	dirname(self);
	names = tools_list(self);
	if (s.n_operands == 0) {
		list(self, names);
	} else if (strcmp(*s.operands, "help") == 0) {
		if (s.n_operands > 2)
			opt_misused("%s: unexpected operand", s.operands[2]);
		status = show_page(self, s.operands[1], names);
	} else if (is_in(*s.operands, names)) {
		run_tool(self, s.operands);
	} else {
		unknown_tool(*s.operands, names);
	}
	xfree_strv(names);
	finish((enum exit_status)status);
}
