#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/workdirs.h"

struct idle {
	char *path;
	const struct payload *script;	/* what it holds; NULL for nothing */
	struct idle *next;
};

struct workdirs {
	char *root;
	uintmax_t n;		/* names given */
	struct idle *idle;
};

struct workdirs *
workdirs_new(const char *root)
{
	struct workdirs *s = xcalloc(1, sizeof *s);

	s->root = xstrdup(root);
	return s;
}

static void
idle_free(struct idle *i)
{
	free(i->path);
	free(i);
}

void
workdirs_free(struct workdirs *s)
{
	if (!s)
		return;
	for (struct idle *i = s->idle, *next; i; i = next) {
		next = i->next;
		idle_free(i);
	}
	free(s->root);
	free(s);
}

static struct idle *
find_idle(struct workdirs *s, const struct payload *script)
{
	for (struct idle **p = &s->idle, *i; (i = *p); p = &i->next)
		if (i->script == script) {
			*p = i->next;
			return i;
		}
	return NULL;
}

/* An idle one for SCRIPT under the new name PATH, if it is still right. */
static bool
workdir_reuse(struct workdirs *s, const struct payload *script, const char *path)
{
	struct idle *i = find_idle(s, script);
	_cleanup_free_ char *file = script ? xasprintf("%s/%s", path, script->name) : NULL;
	bool ok;

	if (!i)
		return false;
	ok = rename(i->path, path) == 0;
	idle_free(i);
	if (ok && file && (!payload_is_at(script, file) || access(file, X_OK) < 0)) {
		file_remove_tree(path);
		ok = false;
	}
	return ok;
}

/* What could not be removed after an earlier cycle has its name still. */
static char *
next_path(struct workdirs *s)
{
	char *path = NULL;

	do {
		free(path);
		path = xasprintf("%s/work.%ju", s->root, ++s->n);
	} while (access(path, F_OK) == 0);
	return path;
}

int
workdirs_make(struct workdirs *s, char **path, struct fail *f)
{
	_cleanup_free_ char *new = next_path(s);

	if (mkdir(new, 0700) < 0)
		return fail_errno(f, errno, "%s", new);
	*path = TAKE_PTR(new);
	return 0;
}

int
workdirs_take(struct workdirs *s, const struct payload *script, const char *cache, char **path,
    struct fail *f)
{
	_cleanup_free_ char *new = next_path(s), *cached = NULL;
	int r = 0;

	if (workdir_reuse(s, script, new)) {
		*path = TAKE_PTR(new);
		return 0;
	}
	free(TAKE_PTR(new));
	r = workdirs_make(s, &new, f);
	if (r < 0)
		return r;
	if (script)
		r = payload_fetch(script, cache, &cached, f);
	if (script && r == 0)
		r = payload_place(script, cache, new, true, f);
	if (r < 0)
		file_remove_tree(new);
	else
		*path = TAKE_PTR(new);
	return r;
}

/* All but the file KEEP (NULL for none) is removed, unless there is a directory among it. */
static bool
workdir_clear(const char *path, const char *keep)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool ok = d != NULL;

	while (ok && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    (keep && strcmp(e->d_name, keep) == 0))
			continue;
		ok = discard_at(dirfd(d), e->d_name) == 0;
	}
	if (d)
		closedir(d);
	return ok;
}

void
workdirs_give(struct workdirs *s, const struct payload *script, const char *path, bool keep)
{
	struct idle *i;

	if (!keep || !workdir_clear(path, script ? script->name : NULL)) {
		file_remove_tree(path);
		return;
	}
	i = xcalloc(1, sizeof *i);
	*i = (struct idle){ .path = xstrdup(path), .script = script, .next = s->idle };
	s->idle = i;
}
