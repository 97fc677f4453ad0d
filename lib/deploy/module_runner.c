#include <ctype.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/argv.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "deploy/module_runner.h"

static const char prefix[] = "module-impl.";

static struct module_runner *
runner_find(const struct module_runners *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->v[i].name, name) == 0)
			return &r->v[i];
	return NULL;
}

static struct module_runner *
runner_add(struct module_runners *r, const char *name)
{
	struct module_runner *m = runner_find(r, name);

	if (m)
		return m;
	r->v = xgrow(r->v, r->n, &r->cap, sizeof *r->v);
	m = &r->v[r->n++];
	*m = (struct module_runner){ .name = xstrdup(name), .stop_signal = SIGTERM };
	return m;
}

void
module_runners_init(struct module_runners *r)
{
	const char *why;

	*r = (struct module_runners){ 0 };
	runner_add(r, "spawn")->argv = argv_split("${file}", &why);
	runner_add(r, "python")->argv = argv_split("python3 -u ${file}", &why);
}

void
module_runners_release(struct module_runners *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].name);
		xfree_strv(r->v[i].argv);
		free(r->v[i].user);
	}
	free(r->v);
	*r = (struct module_runners){ 0 };
}

/* "${word}" for each placeholder of TEXT that there is not, NULL for none. */
static const char *
placeholder_unknown(const char *text)
{
	static const char *const known[] = { "${file}", "${entry}", "${instance}", "${dir}", NULL };

	for (const char *p = text; (p = strstr(p, "${")) != NULL; p++) {
		size_t i = 0;

		while (known[i] && strncmp(p, known[i], strlen(known[i])) != 0)
			i++;
		if (!known[i])
			return p;
	}
	return NULL;
}

static int
argv_parse(const struct ini_entry *e, struct module_runner *m, struct fail *f)
{
	const char *why = "no command", *unknown = placeholder_unknown(e->value);

	if (unknown)
		return ini_bad(e, f, "argv: '%s' begins with no placeholder of ${file}, ${entry}, ${instance}, ${dir}", unknown);
	xfree_strv(m->argv);
	m->argv = argv_split(e->value, &why);
	return m->argv && *m->argv ? 0 : ini_bad(e, f, "argv: %s", why);
}

/* "SIGTERM", "TERM" or a number. */
static int
signal_parse(const struct ini_entry *e, int *signo, struct fail *f)
{
	const char *name = strncmp(e->value, "SIG", 3) == 0 ? e->value + 3 : e->value;
	int64_t n;

	for (int i = 1; i < NSIG; i++) {
		const char *abbreviation = sigabbrev_np(i);

		if (abbreviation && strcmp(abbreviation, name) == 0) {
			*signo = i;
			return 0;
		}
	}
	if (num_parse(name, 1, NSIG - 1, &n) < 0)
		return ini_bad(e, f, "stop-signal: there is no signal '%s'", e->value);
	*signo = (int)n;
	return 0;
}

static int
limit_parse(const struct ini_entry *e, struct module_runner *m, struct fail *f)
{
	const int resource = launch_limit_resource(e->key);
	int64_t n;

	if (resource < 0)
		return ini_unknown(e, "argv user stop-signal nofile nproc core fsize data stack as cpu memlock", f);
	if (num_parse(e->value, 0, INT64_MAX, &n) < 0)
		return ini_bad(e, f, "%s: not a number: '%s'", e->key, e->value);
	for (int i = 0; i < m->n_limits; i++)
		if (m->limits[i].resource == resource) {
			m->limits[i].value = n;
			return 0;
		}
	if (m->n_limits == LAUNCH_LIMITS)
		return ini_bad(e, f, "more than %d limits", LAUNCH_LIMITS);
	m->limits[m->n_limits++] = (struct launch_limit){ resource, n };
	return 0;
}

int
module_runners_parse(struct module_runners *r, const struct ini_entry *e, struct fail *f)
{
	const char *name = e->section + sizeof prefix - 1;
	struct module_runner *m;

	if (strncmp(e->section, prefix, sizeof prefix - 1) != 0)
		return 1;
	if (!*name)
		return ini_bad(e, f, "[module-impl.NAME]: no name");
	m = runner_add(r, name);
	if (!e->key)
		return 0;
	if (strcmp(e->key, "argv") == 0)
		return argv_parse(e, m, f);
	if (strcmp(e->key, "stop-signal") == 0)
		return signal_parse(e, &m->stop_signal, f);
	if (strcmp(e->key, "user") == 0) {
		if (!getpwnam(e->value))
			return ini_bad(e, f, "user: there is no user '%s'", e->value);
		free(m->user);
		m->user = xstrdup(e->value);
		return 0;
	}
	return limit_parse(e, m, f);
}

const struct module_runner *
module_runners_find(const struct module_runners *r, const char *name)
{
	const struct module_runner *m = runner_find(r, name);

	return m && m->argv ? m : NULL;
}

static char *
word_expand(const char *word, const struct module_runner_words *w)
{
	const struct { const char *name, *value; } words[] = { { "${file}", w->file }, { "${entry}", w->entry },
		{ "${instance}", w->instance }, { "${dir}", w->dir } };
	struct buf b = BUF_INIT;

	while (*word) {
		size_t i, n = sizeof words / sizeof *words;

		for (i = 0; i < n && strncmp(word, words[i].name, strlen(words[i].name)) != 0; i++)
			;
		if (i == n) {
			buf_putc(&b, *word++);
			continue;
		}
		buf_puts(&b, words[i].value);
		word += strlen(words[i].name);
	}
	return b.s ? b.s : xstrdup("");
}

char **
module_runner_argv(const struct module_runner *r, const struct module_runner_words *w)
{
	size_t n = 0;
	char **argv;

	while (r->argv[n])
		n++;
	argv = xcalloc(n + 1, sizeof *argv);
	for (size_t i = 0; i < n; i++)
		argv[i] = word_expand(r->argv[i], w);
	return argv;
}
