#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/xalloc.h"
#include "doctor/presence.h"
#include "doctor/program.h"

bool
presence_has_unit_file(const char *unit)
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

/* The file that exists as long as the agent is installed or runs, or NULL. */
static const char *
own_file(const struct profile *p)
{
	const char *const files[] = { p->retry.method == RETRY_FIFO ? p->retry.path : NULL, p->retry.pid_file,
	    p->restart.pid_file, p->restart.service };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (files[i])
			return files[i];
	return NULL;
}

static const char *
own_program(const struct profile *p)
{
	if (p->restart.exe)
		return p->restart.exe;
	if (p->retry.exe)
		return p->retry.exe;
	if (p->restart.start)
		return *p->restart.start;
	if (p->retry.argv)
		return *p->retry.argv;
	return p->status.argv ? *p->status.argv : NULL;
}

/* The unit that a profile's command is for: systemctl itself is on each machine.  NULL for none. */
static const char *
commanded_unit(const struct profile *p)
{
	char *const *argv = p->retry.argv ? p->retry.argv : p->status.argv;

	if (!argv || strcmp(*argv, "systemctl") != 0)
		return NULL;
	while (*++argv)
		if (**argv != '-' && strchr(*argv, '.'))
			return *argv;
	return NULL;
}

int
presence_of(const struct profile *p, struct buf *evidence)
{
	const char *unit = p->unit ? p->unit : commanded_unit(p);
	const char *file = own_file(p), *program = own_program(p);

	if (unit) {
		buf_puts(evidence, unit);
		return presence_has_unit_file(unit);
	}
	if (file) {
		buf_puts(evidence, file);
		return access(file, F_OK) == 0;
	}
	if (program) {
		_cleanup_free_ char *path = program_find(program);

		buf_puts(evidence, path ? path : program);
		return path != NULL;
	}
	return -1;
}

static bool
has_name(char *const *names, const char *name)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

struct agent_list {
	char **v;
	size_t n;
};

static void
list_add(struct agent_list *l, const char *name, size_t len)
{
	_cleanup_free_ char *copy = xstrndup(name, len);

	if (has_name(l->v, copy))
		return;
	l->v = xrealloc(l->v, l->n + 2, sizeof *l->v);
	l->v[l->n++] = TAKE_PTR(copy);
	l->v[l->n] = NULL;
}

/* What follows MARK in the last component of the paths that match PATTERN, without its suffix. */
static void
list_add_matches(struct agent_list *l, const char *pattern, const char *mark)
{
	glob_t g;

	if (glob(pattern, 0, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *base = strrchr(g.gl_pathv[i], '/') + 1;
		const char *name = strstr(base, mark), *dot = strrchr(base, '.');

		name = name ? name + strlen(mark) : base;
		if (dot && dot > name)
			list_add(l, name, (size_t)(dot - name));
	}
	globfree(&g);
}

static bool
is_own_agent_configured(void)
{
	_cleanup_free_ char *config = xasprintf("%s/agent.conf", dirs_config());
	glob_t g;

	if (access(config, F_OK) == 0)
		return true;
	if (glob("/etc/systemd/system/*.wants/rejoin-agent.service", 0, NULL, &g) != 0)
		return false;
	globfree(&g);
	return true;
}

char **
presence_configured(void)
{
	struct agent_list l = { .v = xcalloc(1, sizeof *l.v) };
	_cleanup_free_ char *chosen = profile_default_name();
	_cleanup_free_ char *own = xasprintf("%s/agents.d/*.conf", dirs_config());

	if (strcmp(chosen, "rejoin") != 0 || is_own_agent_configured())
		list_add(&l, chosen, strlen(chosen));
	list_add_matches(&l, own, "/");
	list_add_matches(&l, "/etc/systemd/system/*.wants/rejoin-*@?*", "@");
	return l.v;
}

struct json
presence_record(const char *name, char *const *configured)
{
	_cleanup_buf_ struct buf evidence = BUF_INIT;
	_cleanup_profile_ struct profile *p = NULL;
	struct json r = json_object();
	struct fail f;
	int here;

	json_set_text(&r, "name", name);
	if (profile_load_as_written(name, &p, &f) < 0) {
		json_set(&r, "here", json_null());
		json_set(&r, "configured", json_bool(has_name(configured, name)));
		json_set_text(&r, "error", f.text);
		return r;
	}
	here = presence_of(p, &evidence);
	json_set(&r, "here", here < 0 ? json_null() : json_bool(here));
	json_set(&r, "configured", json_bool(has_name(configured, name)));
	json_set_text(&r, "description", p->description ? p->description : "");
	if (here >= 0)
		json_set_text(&r, "evidence", evidence.s);
	json_set_text(&r, "file", p->file);
	return r;
}
