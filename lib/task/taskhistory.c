#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/journal.h"
#include "base/xalloc.h"
#include "task/forgotten.h"
#include "task/historyends.h"
#include "task/historyfile.h"
#include "task/historyindex.h"
#include "task/releases.h"
#include "task/retention.h"
#include "task/taskhistory.h"

enum {
	RETRY_MS = 5000,
	RESERVE = 1 << 20,	/* bytes that are the file's before they are needed: ends are recorded on a full disk */
	UNWRITTEN_MAX = 16 << 20,
};

struct taskhistory {
	char *path;
	int64_t max;
	struct committer *committer;
	struct journal *journal;
	struct hlc *clock;
	struct historyindex now, before;	/* of PATH and of PATH.1 */
	int64_t kept_last;			/* id of the last record of PATH.kept */
	int64_t last, committed;		/* ids of the last record, and of the last one that is on the disk */
	struct buf unwritten;			/* lines that the disk did not take */
	off_t reserved;
	int rotated_fd;				/* PATH.1, until it is on the disk; -1 */
	unsigned int rotations;
	struct historyends ends;
	struct forgotten *forgotten;
	struct releases releases;
	struct retention *rotation;		/* under way */
	bool released_meanwhile;
	int64_t rotate_after_ms;		/* CLOCK_MONOTONIC: not before, after one that failed */
};

/* --- opening */

struct history_load {
	struct taskhistory *h;
	struct historyindex *index;	/* NULL: of PATH.kept */
};

static int
load_line(const struct history_line *l, void *cookie)
{
	struct history_load *c = cookie;
	struct taskhistory *h = c->h;
	const struct historyend end = { l->task, l->id, l->owner };

	if (c->index) {
		historyindex_add(c->index, l->id, l->at);
	} else {
		releases_of(&h->releases, l->owner)->kept += (int64_t)l->len;
		h->kept_last = l->id > h->kept_last ? l->id : h->kept_last;
	}
	if (l->id > h->last)
		h->last = l->id;
	if (l->is_end)
		historyends_add(&h->ends, &end);
	return 0;
}

static int
load_files(struct taskhistory *h)
{
	_cleanup_free_ char *kept = xasprintf("%s.kept", h->path);
	_cleanup_free_ char *before = xasprintf("%s.1", h->path);
	struct history_load of_kept = { h, NULL }, of_before = { h, &h->before }, of_now = { h, &h->now };
	int r;

	h->journal = journal_open(h->path, 0);
	r = h->journal ? historyfile_each(kept, 0, load_line, &of_kept) : -errno;
	if (r == 0)
		r = historyfile_each(before, 0, load_line, &of_before);
	if (r == 0)
		r = historyfile_each(h->path, 0, load_line, &of_now);
	/* what another process has added is on the disk before it is read */
	if (r == 0 && fsync(journal_fd(h->journal)) < 0)
		r = -errno;
	h->committed = h->last;
	return r;
}

struct taskhistory *
taskhistory_open(const char *path, int64_t max, struct hlc *clock, struct committer *c, struct fail *f)
{
	_cleanup_free_ char *forgotten = xasprintf("%s.forgotten", path);
	_cleanup_free_ char *releases = xasprintf("%s.releases", path);
	struct taskhistory *h = xcalloc(1, sizeof *h);
	int r;

	*h = (struct taskhistory){ .path = xstrdup(path), .max = max, .committer = c, .clock = clock, .rotated_fd = -1,
	    .unwritten = BUF_MAX(UNWRITTEN_MAX) };
	h->forgotten = forgotten_open(forgotten, f);
	if (!h->forgotten) {
		taskhistory_close(h);
		return NULL;
	}
	releases_load(&h->releases, releases);
	r = load_files(h);
	if (r < 0) {
		taskhistory_close(h);
		fail_errno(f, r, "%s", path);
		return NULL;
	}
	hlc_see(clock, h->last);
	return h;
}

void
taskhistory_close(struct taskhistory *h)
{
	if (!h)
		return;
	journal_close(h->journal);
	forgotten_close(h->forgotten);
	historyindex_free(&h->now);
	historyindex_free(&h->before);
	historyends_free(&h->ends);
	releases_free(&h->releases);
	buf_release(&h->unwritten);
	io_closep(&h->rotated_fd);
	free(h->path);
	free(h);
}

/* --- rotation: the thread copies what is kept, then the loop renames */

static bool
is_dropped(const struct historyend *end, void *cookie)
{
	const struct taskhistory *h = cookie;
	const int64_t last = h->rotation->whole ? h->before.last : h->kept_last;

	return end->record <= last && end->record <= releases_find(&h->rotation->releases, end->owner).released;
}

/* Keeps END; it is known as forgotten before it is dropped. */
static bool
forget_end(const struct historyend *end, void *cookie)
{
	struct taskhistory *h = cookie;

	if (is_dropped(end, h))
		forgotten_add(h->forgotten, end->owner, end->task, end->record);
	return false;
}

static void
rename_files(struct taskhistory *h)
{
	int old = fcntl(journal_fd(h->journal), F_DUPFD_CLOEXEC, 0);

	if (journal_rotate(h->journal) < 0 && journal_fd(h->journal) >= 0) {
		io_closep(&old);
		h->rotate_after_ms = clock_mono_ms() + RETRY_MS;
		return;
	}
	io_closep(&h->rotated_fd);
	h->rotated_fd = old;
	h->rotations++;
	historyindex_free(&h->before);
	h->before = h->now;
	h->now = (struct historyindex){ NULL, 0, 0, 0 };
	h->reserved = 0;
}

static void rotation_start(struct taskhistory *h, bool whole);

static void
rotation_done(int err, void *cookie)
{
	struct retention *r = cookie;
	struct taskhistory *h = r->history;

	if (err < 0) {
		h->rotate_after_ms = clock_mono_ms() + RETRY_MS;
	} else {
		historyends_remove(&h->ends, is_dropped, h);
		for (size_t i = 0; i < r->releases.n; i++) {
			struct release *of = releases_of(&h->releases, r->releases.items[i].owner);

			of->dropped = r->releases.items[i].dropped;
			of->kept = r->releases.items[i].kept;
		}
		h->kept_last = r->last;
		if (r->whole)
			rename_files(h);
	}
	retention_release(r);
	free(TAKE_PTR(h->rotation));
	if (h->released_meanwhile) {
		h->released_meanwhile = false;
		rotation_start(h, false);
	}
}

static void
rotation_start(struct taskhistory *h, bool whole)
{
	struct retention *r;

	if (h->rotation || clock_mono_ms() < h->rotate_after_ms)
		return;
	r = h->rotation = xcalloc(1, sizeof *r);
	*r = (struct retention){ .history = h, .path = h->path, .whole = whole, .forgotten = BUF_INIT };
	releases_copy(&r->releases, &h->releases);
	historyends_remove(&h->ends, forget_end, h);
	forgotten_format(h->forgotten, &r->forgotten);
	committer_add(h->committer, retention_work, rotation_done, r);
}

void
taskhistory_release(struct taskhistory *h, uid_t owner, int64_t id)
{
	struct release *of = releases_of(&h->releases, owner);

	if (id > h->committed)
		id = h->committed;
	if (id <= of->released)
		return;
	of->released = id;
	if (of->kept == 0)
		return;
	h->released_meanwhile = h->rotation != NULL;
	rotation_start(h, false);
}

/* --- adding */

static int
write_line(struct taskhistory *h, int64_t id, const char *line, size_t len)
{
	const off_t at = journal_size(h->journal);
	int r = journal_add(h->journal, line, len);

	if (r == 0)
		historyindex_add(&h->now, id, at);
	return r;
}

/* What the disk did not take before. */
static void
write_unwritten(struct taskhistory *h)
{
	const char *p = h->unwritten.s, *nl;

	if (h->unwritten.len == 0)
		return;
	while ((nl = strchr(p, '\n')) && write_line(h, atoll(p + strlen("{\"id\":")), p, (size_t)(nl - p)) == 0)
		p = nl + 1;
	h->unwritten.len -= (size_t)(p - h->unwritten.s);
	memmove(h->unwritten.s, p, h->unwritten.len + 1);
}

void
taskhistory_add(struct taskhistory *h, int64_t task, uid_t owner, int64_t session, const char *event, struct json more)
{
	const struct historyend end = { task, hlc_next(h->clock, clock_wall_ms()), owner };
	_cleanup_buf_ struct buf b = BUF_INIT;

	historyfile_format(&b, end.record, task, owner, session, event, more);
	write_unwritten(h);
	if (h->unwritten.len > 0 || write_line(h, end.record, b.s, b.len) < 0) {
		buf_putc(&b, '\n');
		if (buf_add(&h->unwritten, b.s, b.len) < 0)
			return;		/* an end is added again (store_sweep()) */
	}
	h->last = end.record;
	if (historyfile_is_end(event))
		historyends_add(&h->ends, &end);
	if (h->unwritten.len == 0 && journal_size(h->journal) > h->max / 4)
		rotation_start(h, true);
}

/* --- to the disk */

struct history_commit {
	struct taskhistory *history;
	int fd, rotated_fd;
	char *dir;		/* to be synced, too; NULL */
	unsigned int rotations;	/* so many there were */
	bool reserve;
	off_t size;
	int err;
	int64_t last;
	committer_done *done;
	void *cookie;
};

static int
commit_work(struct committer_job *j, void *cookie)
{
	const struct history_commit *c = cookie;

	if (c->fd >= 0) {
		if (c->reserve)
			(void)fallocate(c->fd, FALLOC_FL_KEEP_SIZE, c->size, RESERVE);
		committer_sync(j, c->fd);
	}
	if (c->dir) {
		committer_sync(j, c->rotated_fd);
		committer_sync(j, open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	}
	return c->err;
}

static void
commit_done(int err, void *cookie)
{
	struct history_commit *c = cookie;
	struct taskhistory *h = c->history;

	if (err == 0 && c->last > h->committed)
		h->committed = c->last;
	if (err == 0 && c->dir && c->rotations == h->rotations) {
		io_closep(&h->rotated_fd);
		h->rotated_fd = -1;
	}
	c->done(err, c->cookie);
	free(c->dir);
	free(c);
}

void
taskhistory_commit(struct taskhistory *h, committer_done *done, void *cookie)
{
	struct history_commit *c = xcalloc(1, sizeof *c);

	write_unwritten(h);
	*c = (struct history_commit){ .history = h, .last = h->last, .done = done, .cookie = cookie, .rotated_fd = -1,
	    .rotations = h->rotations, .size = journal_size(h->journal) };
	c->fd = journal_fd(h->journal) < 0 ? -1 : fcntl(journal_fd(h->journal), F_DUPFD_CLOEXEC, 0);
	c->err = h->unwritten.len > 0 || journal_fd(h->journal) < 0 ? -ENOSPC : c->fd < 0 ? -errno : 0;
	if (h->rotated_fd >= 0) {
		_cleanup_free_ char *copy = xstrdup(h->path);

		c->rotated_fd = fcntl(h->rotated_fd, F_DUPFD_CLOEXEC, 0);
		c->dir = xstrdup(dirname(copy));
	}
	c->reserve = c->size + RESERVE / 2 > h->reserved;
	if (c->reserve)
		h->reserved = c->size + RESERVE;
	committer_add(h->committer, commit_work, commit_done, c);
}

bool
taskhistory_is_committed(const struct taskhistory *h)
{
	return h->committed == h->last;
}

/* --- asking */

int
taskhistory_room(const struct taskhistory *h, uid_t owner)
{
	int64_t kept = 0;

	if (h->unwritten.len > 0)
		return -ENOSPC;
	for (size_t i = 0; i < h->releases.n; i++)
		kept += h->releases.items[i].kept;
	return kept >= h->max / 2 && releases_find(&h->releases, owner).kept > 0 ? -EDQUOT : 0;
}

bool
taskhistory_has_end(const struct taskhistory *h, int64_t task)
{
	return historyends_find(&h->ends, task) != NULL;
}

bool
taskhistory_has_end_of(const struct taskhistory *h, uid_t owner, int64_t task)
{
	const struct historyend *end = historyends_find(&h->ends, task);

	return end && end->owner == owner;
}

bool
taskhistory_has_committed_end(const struct taskhistory *h, int64_t task)
{
	const struct historyend *end = historyends_find(&h->ends, task);

	return end && end->record <= h->committed;
}

bool
taskhistory_may_have_dropped(const struct taskhistory *h, uid_t owner, int64_t task)
{
	return forgotten_has(h->forgotten, owner, task);
}

int64_t
taskhistory_last(const struct taskhistory *h)
{
	return h->last;
}

struct history_query {
	int64_t after, upto, owner;
	int64_t dropped;	/* to be told before the first record after it; 0: nothing */
	size_t max;
	bool full;		/* OUT has no room for the next one */
	struct buf *out;
};

/* Records that the reader has not seen were dropped. */
static void
add_dropped(struct history_query *q)
{
	_cleanup_json_ struct json more = json_object();

	json_set_text(&more, "reason", "records up to this one were released by a controller, and are no longer kept");
	historyfile_format(q->out, q->dropped, 0, q->owner < 0 ? 0 : (uid_t)q->owner, 0, "dropped", more);
	buf_putc(q->out, '\n');
	q->after = q->dropped;
	q->dropped = 0;
}

static int
select_line(const struct history_line *l, void *cookie)
{
	struct history_query *q = cookie;

	if (l->id > q->upto)
		return 1;
	if (l->id <= q->after || (q->owner >= 0 && (int64_t)l->owner != q->owner))
		return 0;
	q->full = q->out->len > 0 && q->out->len + l->len > q->max;
	if (q->full)
		return 1;
	if (q->dropped > 0 && l->id > q->dropped)
		add_dropped(q);
	q->after = l->id;
	buf_add(q->out, l->text, l->len);
	return 0;
}

int
taskhistory_read(const struct taskhistory *h, int64_t after, int64_t owner, size_t max, struct buf *out)
{
	_cleanup_free_ char *kept = xasprintf("%s.kept", h->path);
	_cleanup_free_ char *before = xasprintf("%s.1", h->path);
	const int64_t dropped = releases_dropped(&h->releases, owner);
	struct history_query q = { after, h->committed, owner, dropped > after ? dropped : 0, max, false, out };
	off_t at;
	int r = 0;

	if (after < h->kept_last)
		r = historyfile_each(kept, 0, select_line, &q);
	at = historyindex_find(&h->before, q.after);
	if (r == 0 && at >= 0 && !q.full)
		r = historyfile_each(before, at, select_line, &q);
	at = historyindex_find(&h->now, q.after);
	if (r == 0 && at >= 0 && !q.full)
		r = historyfile_each(h->path, at, select_line, &q);
	if (r == 0 && q.dropped > 0 && !q.full)
		add_dropped(&q);
	return r;
}
