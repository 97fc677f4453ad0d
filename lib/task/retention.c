#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "task/historyfile.h"
#include "task/retention.h"

struct retention_copy {
	struct retention *retention;
	FILE *out;
	int64_t last;		/* id of the line before */
};

void
retention_release(struct retention *r)
{
	buf_release(&r->forgotten);
	releases_free(&r->releases);
}

static int
copy_line(const struct history_line *l, void *cookie)
{
	struct retention_copy *c = cookie;
	struct release *of = releases_of(&c->retention->releases, l->owner);

	if (l->id <= c->last)
		return 0;
	c->last = l->id;
	if (l->id <= of->released) {
		of->dropped = l->id;
		return 0;
	}
	of->kept += (int64_t)l->len;
	c->retention->last = l->id;
	return fwrite(l->text, 1, l->len, c->out) == l->len ? 0 : -errno;
}

static int
copy_unreleased(struct retention *r, FILE *out)
{
	_cleanup_free_ char *kept = xasprintf("%s.kept", r->path);
	_cleanup_free_ char *before = xasprintf("%s.1", r->path);
	struct retention_copy c = { r, out, 0 };
	int e;

	for (size_t i = 0; i < r->releases.n; i++)
		r->releases.items[i].kept = 0;
	r->last = 0;
	e = historyfile_each(kept, 0, copy_line, &c);
	if (e == 0 && r->whole)
		e = historyfile_each(before, 0, copy_line, &c);
	if (e == 0 && (fflush(out) != 0 || fsync(fileno(out)) < 0))
		e = -errno;
	return e;
}

/* What is forgotten and what was dropped is on the disk before the records are gone. */
static int
replace_files(const struct retention *r, const char *new)
{
	_cleanup_free_ char *forgotten = xasprintf("%s.forgotten", r->path);
	_cleanup_free_ char *releases = xasprintf("%s.releases", r->path);
	_cleanup_free_ char *kept = xasprintf("%s.kept", r->path);
	_cleanup_buf_ struct buf b = BUF_INIT;
	int e = file_replace(forgotten, r->forgotten.s, r->forgotten.len, 0600, FILE_DURABLE);

	releases_format(&r->releases, &b);
	if (e == 0)
		e = file_replace(releases, b.s, b.len, 0600, FILE_DURABLE);
	if (e == 0 && rename(new, kept) < 0)
		e = -errno;
	return e == 0 ? file_sync_dir(kept) : e;
}

int
retention_work(struct committer_job *j, void *cookie)
{
	struct retention *r = cookie;
	_cleanup_free_ char *new = xasprintf("%s.kept.new", r->path);
	FILE *out = fopen(new, "we");
	int e;

	(void)j;
	if (!out)
		return -errno;
	e = copy_unreleased(r, out);
	if (fclose(out) != 0 && e == 0)
		e = -errno;
	if (e == 0)
		e = replace_files(r, new);
	if (e < 0)
		unlink(new);
	return e;
}
