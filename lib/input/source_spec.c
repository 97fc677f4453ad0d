#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/history.h"
#include "base/argv.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "input/remote.h"
#include "input/source_spec.h"

static char *
copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void
source_spec_copy(struct source_spec *to, const struct source_spec *s)
{
	*to = (struct source_spec){ copy(s->name), copy(s->location), copy(s->format), copy(s->zone),
	    copy(s->emitter), copy(s->clock), copy(s->dir), copy(s->token_file), copy(s->ca_file), s->order, s->year, s->twin, s->matched };
}

void
source_spec_release(struct source_spec *s)
{
	free(s->name);
	free(s->location);
	free(s->format);
	free(s->zone);
	free(s->emitter);
	free(s->clock);
	free(s->dir);
	free(s->token_file);
	free(s->ca_file);
	*s = (struct source_spec){ .name = NULL };
}

bool
source_spec_is_journal(const struct source_spec *s)
{
	return strncmp(s->location, "journal:", 8) == 0;
}

static void
append(struct source_spec **v, size_t *n, const struct source_spec *s)
{
	*v = xrealloc(*v, *n + 1, sizeof **v);
	source_spec_copy(&(*v)[(*n)++], s);
}

void
source_specs_add_one(struct source_specs *ss, const struct source_spec *s)
{
	append(&ss->v, &ss->n, s);
}

static int
set_option(struct source_spec *s, const char *text, char *word, struct fail *f)
{
	static const struct { const char *key; size_t at; } texts[] = {
		{ "format=", offsetof(struct source_spec, format) }, { "tz=", offsetof(struct source_spec, zone) },
		{ "emitter=", offsetof(struct source_spec, emitter) },
		{ "clock=", offsetof(struct source_spec, clock) }, { "dir=", offsetof(struct source_spec, dir) },
		{ "token-file=", offsetof(struct source_spec, token_file) }, { "ca-file=", offsetof(struct source_spec, ca_file) },
	};

	static const struct { const char *word; enum source_order order; } orders[] = {
		{ "fifo", ORDER_FIFO }, { "host", ORDER_HOST }, { "none", ORDER_NONE }, { "merged", ORDER_MERGED },
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t n = strlen(texts[i].key);

		if (strncmp(word, texts[i].key, n) == 0) {
			*(char **)((char *)s + texts[i].at) = word + n;
			return 0;
		}
	}
	if (strncmp(word, "year=", 5) == 0) {
		int64_t year;

		if (num_parse(word + 5, 1970, 2260, &year) < 0)
			return fail_set(f, EXIT_USAGE, "'%s': not a year from 1970 to 2260: '%s'", text, word + 5);
		s->year = (int)year;
		return 0;
	}
	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
		if (strncmp(word, "order=", 6) == 0 && strcmp(word + 6, orders[i].word) == 0) {
			s->order = orders[i].order;
			return 0;
		}
	return fail_set(f, EXIT_USAGE, "'%s': '%s' is not format=F, order=fifo, order=host, order=none, order=merged, "
	    "tz=ZONE, year=YYYY, clock=NAME, dir=DIR, token-file=FILE, ca-file=FILE or emitter=RE", text, word);
}

/* Only what looks like an option ends the location: a file name may hold a comma. */
static char *
next_option(char *from)
{
	static const char *const keys[] = { ",format=", ",order=", ",tz=", ",year=", ",clock=", ",emitter=",
		",dir=", ",token-file=", ",ca-file=" };
	char *first = NULL;

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		char *p = strstr(from, keys[i]);

		if (p && (!first || p < first))
			first = p;
	}
	return first;
}

int
source_specs_add_matches(struct source_specs *ss, const struct source_spec *pattern, struct fail *f)
{
	struct source_spec s = *pattern;
	glob_t g;
	int r = glob(pattern->location, 0, NULL, &g);

	if (r == GLOB_NOSPACE)
		return fail_set(f, EXIT_TROUBLE, "%s: out of memory", pattern->location);
	if (r != 0 && ss->live)
		return 0;
	if (r != 0)
		return fail_set(f, EXIT_TROUBLE, "%s: matches no file", pattern->location);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		s.location = g.gl_pathv[i];
		s.matched = true;
		source_specs_add_one(ss, &s);
	}
	globfree(&g);
	return 0;
}

/* The name of a source on the network is host and path: its query may hold a secret. */
static void
add_remote(struct source_specs *ss, struct source_spec *s)
{
	static char imp_format[] = "imp-sse";
	const char *host = strstr(s->location, "//");
	const bool command = remote_is_command(s->location);
	_cleanup_free_ char *name = command ? xstrndup(s->location + 4, strcspn(s->location + 4, " ")) :
	    host ? xstrndup(host + 2, strcspn(host + 2, "?#")) : xstrdup(s->location);

	if (!s->name)
		s->name = name;
	if (!s->format && *s->location == 'i')
		s->format = imp_format;
	source_specs_add_one(ss, s);
}

/* A command runs until it is ended: it can only be followed. */
static int
check_command(const struct source_specs *ss, const char *text, const struct source_spec *s, struct fail *f)
{
	const char *why = "names no command";
	char **argv = argv_split(s->location + 4, &why);
	const bool empty = !argv || !*argv;

	xfree_strv(argv);
	if (empty)
		return fail_set(f, EXIT_USAGE, "'%s': %s", text, why);
	if (!ss->live) {
		fail_set(f, EXIT_USAGE, "'%s': a command can only be followed", text);
		fail_hint(f, "use -f, --follow");
		return -EINVAL;
	}
	return 0;
}

int
source_specs_add(struct source_specs *ss, const char *text, struct fail *f)
{
	_cleanup_free_ char *work = xstrdup(text);
	struct source_spec s = { .location = work };
	char *opt = next_option(work), *eq;
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
	int r;

	if (access(text, F_OK) == 0) {
		source_specs_add_one(ss, &s);
		return 0;
	}
	while (opt) {
		char *word = opt + 1, *next = strncmp(word, "emitter=", 8) == 0 ? NULL : next_option(word);

		*opt = '\0';
		if (next)
			*next = '\0';
		r = set_option(&s, text, word, f);
		if (r < 0)
			return r;
		opt = next;
	}
	eq = n && text[n] == '=' ? work + n : NULL;
	if (eq && access(work, F_OK) < 0) {
		*eq = '\0';
		s.name = work;
		s.location = eq + 1;
	}
	if (!*s.location)
		return fail_set(f, EXIT_USAGE, "'%s': names no file", text);
	if (remote_is_command(s.location) && check_command(ss, text, &s, f) < 0)
		return -EINVAL;
	if (remote_is(s.location)) {
		add_remote(ss, &s);
		return 0;
	}
	if (s.dir && !source_spec_is_journal(&s))
		return fail_set(f, EXIT_USAGE, "'%s': dir= is for journal:UNIT", text);
	if (!source_spec_is_journal(&s) && access(s.location, F_OK) < 0 &&
	    strpbrk(s.location, "*?[")) {
		append(&ss->globs, &ss->n_globs, &s);
		return source_specs_add_matches(ss, &s, f);
	}
	source_specs_add_one(ss, &s);
	return 0;
}

static const char *
short_name(const struct source_spec *s)
{
	const char *slash = strrchr(s->location, '/');

	if (s->name)
		return s->name;
	if (strcmp(s->location, "-") == 0)
		return "stdin";
	return slash && slash[1] ? slash + 1 : s->location;
}

static int
by_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* One file may be named twice, and read in two ways: all that is said of it tells which is first. */
static int
by_location(const void *a, const void *b)
{
	const struct source_spec *x = a, *y = b;
	int r = strcmp(x->location, y->location);

	r = r ? r : by_text(x->name, y->name);
	r = r ? r : by_text(x->format, y->format);
	r = r ? r : by_text(x->zone, y->zone);
	r = r ? r : by_text(x->emitter, y->emitter);
	r = r ? r : by_text(x->clock, y->clock);
	r = r ? r : by_text(x->dir, y->dir);
	r = r ? r : by_text(x->token_file, y->token_file);
	r = r ? r : by_text(x->ca_file, y->ca_file);
	return r ? r : (int)x->order - (int)y->order;
}

static int
by_name(const void *a, const void *b)
{
	int r = strcmp(((const struct source_spec *)a)->name, ((const struct source_spec *)b)->name);

	return r ? r : by_location(a, b);
}

static int
by_pointed(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_twice(char *const *sorted, size_t n, const char *name)
{
	char *const *hit = bsearch(&name, sorted, n, sizeof *sorted, by_pointed);

	return hit && ((hit > sorted && strcmp(hit[-1], name) == 0) ||
	    (hit + 1 < sorted + n && strcmp(hit[1], name) == 0));
}

static void
set_local(struct source_spec *s)
{
	if (!s->clock)
		s->clock = xstrdup("local");
}

int
source_specs_add_log(struct source_specs *ss, const struct profile_log *log, struct fail *f)
{
	_cleanup_free_ char *text = xasprintf("%s%s%s%s", log->journal ? "journal:" : "", log->journal ? log->journal :
	    log->path ? log->path : "", log->format ? ",format=" : "", log->format ? log->format : "");
	const size_t n = ss->n, n_globs = ss->n_globs;
	int r = source_specs_add(ss, text, f);

	/* All of a profile is stamped by this machine, whatever the name of it in a record. */
	for (size_t i = n; i < ss->n; i++)
		set_local(&ss->v[i]);
	for (size_t i = n_globs; i < ss->n_globs; i++)
		set_local(&ss->globs[i]);
	return r;
}

void
source_specs_find_twins(struct source_specs *ss)
{
	bool journal = false, file = false;

	for (size_t i = 0; i < ss->n; i++) {
		journal |= source_spec_is_journal(&ss->v[i]) && ss->v[i].format;
		file |= !source_spec_is_journal(&ss->v[i]);
	}
	file |= ss->n_globs > 0;
	for (size_t i = 0; i < ss->n; i++)
		ss->v[i].twin = journal && file && (!source_spec_is_journal(&ss->v[i]) || ss->v[i].format);
	for (size_t i = 0; i < ss->n_globs; i++)
		ss->globs[i].twin = journal && file;
}

void
source_specs_add_restarts(struct source_specs *ss, const struct profile *p)
{
	static const char *const old[] = { ".1", "" };
	_cleanup_free_ char *path = history_path(p);

	/* Those of before the file was full come first. */
	for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
		_cleanup_free_ char *location = xasprintf("%s%s", path, old[i]), *name = xasprintf("restarts%s", old[i]);
		char format[] = "rejoin-history";

		if (access(location, F_OK) == 0 || (ss->live && !*old[i]))
			source_specs_add_one(ss, &(struct source_spec){ .name = name, .location = location, .format = format,
			    .matched = *old[i] != '\0' });
	}
}

/*
 * The last part of the path, the whole of it where that is not unique, and a
 * number where even that is not.  Nothing of it depends on the operands' order.
 */
void
source_specs_finish(struct source_specs *ss)
{
	char **names = xcalloc(ss->n + 1, sizeof *names);

	if (ss->n)
		qsort(ss->v, ss->n, sizeof *ss->v, by_location);
	for (size_t i = 0; i < ss->n; i++)
		names[i] = xstrdup(short_name(&ss->v[i]));
	if (ss->n)
		qsort(names, ss->n, sizeof *names, by_pointed);
	for (size_t i = 0, again = 0; i < ss->n; i++) {
		struct source_spec *s = &ss->v[i];
		bool twice = is_twice(names, ss->n, short_name(s));

		again = i && strcmp(s->location, ss->v[i - 1].location) == 0 ? again + 1 : 0;
		if (twice && again && !s->name)
			s->name = xasprintf("%s#%zu", s->location, again + 1);
		else if (!s->name)
			s->name = xstrdup(twice ? s->location : short_name(s));
	}
	if (ss->n)
		qsort(ss->v, ss->n, sizeof *ss->v, by_name);
	for (size_t i = 0; i < ss->n; i++)
		free(names[i]);
	free(names);
}

static void
release(struct source_spec *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		source_spec_release(&v[i]);
	free(v);
}

void
source_specs_release(struct source_specs *ss)
{
	release(ss->v, ss->n);
	release(ss->globs, ss->n_globs);
	*ss = (struct source_specs){ .v = NULL };
}
