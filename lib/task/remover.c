#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "task/remover.h"

static const char released_prefix[] = ".released-";

struct remover {
	struct committer *committer;
	char *path;
	char **dirs;		/* under their new names */
	size_t n, cap;
	size_t synced;		/* so many of the first have their new names on the disk */
	size_t syncing;		/* so many will have */
	char *removing;
	bool stopped;
};

static void remover_step(struct remover *r);

static int
sync_names(struct committer_job *j, void *cookie)
{
	const struct remover *r = cookie;

	committer_sync(j, open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return 0;
}

static void
names_synced(int err, void *cookie)
{
	struct remover *r = cookie;

	if (err == 0)
		r->synced = r->syncing;
	r->syncing = 0;
	if (err == 0)	/* else with the next one, or when the store is opened again */
		remover_step(r);
}

static int
remove_files(struct committer_job *j, void *cookie)
{
	const struct remover *r = cookie;

	(void)j;
	return file_remove_tree(r->removing);
}

static void
files_removed(int err, void *cookie)
{
	struct remover *r = cookie;

	(void)err;		/* what stays is removed when the store is opened again */
	free(TAKE_PTR(r->removing));
	remover_step(r);
}

/* One at a time: requests are recorded in between. */
static void
remover_step(struct remover *r)
{
	if (r->stopped || r->removing || r->syncing > 0 || r->n == 0)
		return;
	if (r->synced == 0) {
		r->syncing = r->n;
		committer_add(r->committer, sync_names, names_synced, r);
		return;
	}
	r->removing = r->dirs[0];
	memmove(r->dirs, r->dirs + 1, --r->n * sizeof *r->dirs);
	r->synced--;
	committer_add(r->committer, remove_files, files_removed, r);
}

struct remover *
remover_new(struct committer *c, const char *path)
{
	struct remover *r = xcalloc(1, sizeof *r);

	*r = (struct remover){ .committer = c, .path = xstrdup(path) };
	return r;
}

void
remover_free(struct remover *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->dirs[i]);
	free(r->dirs);
	free(r->path);
	free(r);
}

void
remover_stop(struct remover *r)
{
	r->stopped = true;
}

int
remover_add(struct remover *r, const char *dir, int64_t id)
{
	char *path = xasprintf("%s/%s%jd", r->path, released_prefix, (intmax_t)id);

	if (rename(dir, path) < 0) {
		int e = errno;

		free(path);
		return -e;
	}
	r->dirs = xgrow(r->dirs, r->n, &r->cap, sizeof *r->dirs);
	r->dirs[r->n++] = path;
	remover_step(r);
	return 0;
}

void
remover_clean(const char *path, const char *name)
{
	_cleanup_free_ char *whole = xasprintf("%s/%s", path, name);

	if (strncmp(name, released_prefix, sizeof released_prefix - 1) == 0)
		file_remove_tree(whole);
}
