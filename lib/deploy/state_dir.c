#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"
#include "deploy/state_dir.h"

enum { LOCK_WAIT_MS = 1000 };

static int
lock_dir(struct state_dir *s, struct fail *f)
{
	_cleanup_free_ char *lock = xasprintf("%s/lock", s->path);
	int e;

	s->lock_fd = lock_open(lock, 0600);
	/* as in agent/runtime.c */
	e = s->lock_fd < 0 ? s->lock_fd : lock_wait(s->lock_fd, LOCK_WAIT_MS);
	if (e == -ETIMEDOUT)
		return fail_set(f, EXIT_BUSY, "%s: held by another agent", lock);
	return e < 0 ? fail_errno(f, e, "%s", lock) : 0;
}

int
state_dir_open(const char *path, struct state_dir *s, struct fail *f)
{
	int e = file_make_trusted_dir(path, f);

	*s = (struct state_dir)STATE_DIR_INIT;
	if (e < 0)
		return e;
	s->path = realpath(path, NULL);
	if (!s->path)
		return fail_errno(f, errno, "%s", path);
	e = lock_dir(s, f);
	if (e < 0)
		return e;
	s->twins = xasprintf("%s/twins", s->path);
	s->work = xasprintf("%s/work", s->path);
	s->cache = xasprintf("%s/cache", s->path);
	s->runs = xasprintf("%s/runs", s->path);
	e = file_make_trusted_dir(s->twins, f);
	if (e == 0)
		e = file_make_trusted_dir(s->runs, f);
	return e < 0 ? e : file_make_trusted_dir(s->cache, f);
}

void
state_dir_release(struct state_dir *s)
{
	io_closep(&s->lock_fd);
	free(s->path);
	free(s->twins);
	free(s->work);
	free(s->cache);
	free(s->runs);
	*s = (struct state_dir)STATE_DIR_INIT;
}

void
state_dir_remove_work(const struct state_dir *s)
{
	DIR *d = opendir(s->runs);
	bool has_runs = false;

	for (struct dirent *e; d && (e = readdir(d)); )
		has_runs |= *e->d_name != '.';
	if (d)
		closedir(d);
	if (!has_runs)
		file_remove_tree(s->work);
}

void
state_dir_remove_temporaries(const struct state_dir *s)
{
	file_remove_temporaries(s->path);
	file_remove_temporaries(s->twins);
}
