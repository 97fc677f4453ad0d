#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "input/export.h"
#include "input/journalfeed.h"

enum { LAG_MAX_US = 60000000, COMPLAINT_MAX = 400 };

struct journal_feed {
	struct feed feed;
	char *unit;
	char *dir;			/* of its files; NULL for this machine's */
	char *cursor;			/* of the last entry that came; NULL for none */
	struct spawn *child;
	struct export export;
	struct buf complaint;		/* what it last wrote on stderr */
	struct loop_timer again;
	struct backoff backoff;
};

/*
 * The boot's clock, as it was when the program spoke: the journal notes it when
 * it received the entry, and the time of day for both.
 */
static int64_t
mono_us(const struct export_entry *e)
{
	int64_t mono = export_number(e, EXPORT_MONOTONIC);
	int64_t lag = export_number(e, EXPORT_REALTIME) - export_time_ns(e) / 1000;

	return lag > 0 && lag < LAG_MAX_US && lag < mono ? mono - lag : mono;
}

static const char *
text_of(const struct export_entry *e, enum export_name name)
{
	return e->v[name].len ? e->v[name].s : NULL;
}

static void
on_entry(const struct export_entry *e, void *cookie)
{
	struct journal_feed *j = cookie;
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct feed_event key = FEED_EVENT_INIT;

	key.id = text_of(e, EXPORT_CURSOR);
	if (key.id) {
		free(j->cursor);
		j->cursor = xstrdup(key.id);
	}
	key.number = export_number(e, EXPORT_SEQNUM);
	key.sequence = key.number >= 0 ? text_of(e, EXPORT_SEQNUM_ID) : NULL;
	key.sparse = true;		/* other units have the numbers between */
	key.mono_us = mono_us(e);
	key.boot = key.mono_us >= 0 ? text_of(e, EXPORT_BOOT_ID) : NULL;
	if (export_time_ns(e) >= 0)
		key.time_ns = export_time_ns(e);
	key.level = (int)export_number(e, EXPORT_PRIORITY);
	key.incarnation = text_of(e, EXPORT_UNIT_INVOCATION);
	if (!key.incarnation)
		key.incarnation = text_of(e, EXPORT_INVOCATION);
	export_text(e, &text);
	feed_push_event(&j->feed, text.s, text.len, &key);
	j->backoff.tries = 0;
}

static void
on_output(int fd, const char *p, size_t n, void *cookie)
{
	struct journal_feed *j = cookie;

	if (fd == 1) {
		export_put(&j->export, p, n, on_entry, j);
		return;
	}
	if (n > COMPLAINT_MAX)
		n = COMPLAINT_MAX;
	buf_reset(&j->complaint);
	buf_add(&j->complaint, p, n);
	while (j->complaint.len && j->complaint.s[j->complaint.len - 1] == '\n')
		j->complaint.s[--j->complaint.len] = '\0';
}

static void
done(const struct spawn_result *r, void *cookie)
{
	struct journal_feed *j = cookie;
	_cleanup_buf_ struct buf how = BUF_INIT;
	bool over = j->feed.once || r->status == SPAWN_NOT_FOUND;

	j->child = NULL;
	if (j->feed.once && r->status == 0) {
		feed_end(&j->feed);
		return;
	}
	spawn_describe(r, &how);
	feed_tell(&j->feed, over ? EXIT_TROUBLE : EXIT_OK, "journalctl %s%s%s%s", how.s, j->complaint.len ? ": " : "",
	    j->complaint.s, over ? "" : "; it is run again");
	if (over)
		feed_end(&j->feed);
	else
		loop_timer_set(j->feed.loop, &j->again, backoff_next(&j->backoff));
}

static void
journalctl_run(void *cookie)
{
	struct journal_feed *j = cookie;
	_cleanup_free_ char *after = j->cursor ? xasprintf("--after-cursor=%s", j->cursor) : NULL;
	_cleanup_free_ char *unit = xasprintf("--unit=%s", j->unit);
	_cleanup_free_ char *dir = j->dir ? xasprintf("--directory=%s", j->dir) : NULL;
	static char name[] = "journalctl", quiet[] = "--quiet", no_pager[] = "--no-pager", format[] = "--output=export",
	    follow[] = "--follow", no_tail[] = "--no-tail";
	char *argv[12] = { name, quiet, no_pager, format };
	size_t n = 4;

	if (!j->feed.once) {
		argv[n++] = follow;
		argv[n++] = no_tail;
	}
	if (dir)
		argv[n++] = dir;
	if (*j->unit)
		argv[n++] = unit;
	if (after)
		argv[n++] = after;
	export_release(&j->export);
	export_init(&j->export);
	buf_reset(&j->complaint);
	j->child = spawn_start(j->feed.loop, &(struct spawn_spec){ .argv = argv, .output = on_output }, done, j);
}

static int
journal_start(struct feed *f, struct fail *why)
{
	(void)why;
	journalctl_run(f);
	return 0;
}

static void
journal_save(struct feed *f, struct json *state)
{
	const struct journal_feed *j = (const struct journal_feed *)f;

	if (feed_last_id(f))
		json_set_text(state, "cursor", feed_last_id(f));
	else if (j->cursor && f->put == 0)
		json_set_text(state, "cursor", j->cursor);	/* nothing has come since it was restored */
}

static int
journal_restore(struct feed *f, struct json state, struct fail *why)
{
	struct journal_feed *j = (struct journal_feed *)f;
	const char *cursor = json_get_text(state, "cursor");

	(void)why;
	j->cursor = cursor ? xstrdup(cursor) : NULL;
	f->last_id = cursor ? xstrdup(cursor) : NULL;
	return 0;
}

static void
journal_free(struct feed *f)
{
	struct journal_feed *j = (struct journal_feed *)f;

	if (j->child)
		spawn_kill(j->child);
	if (f->loop)
		loop_timer_stop(f->loop, &j->again);
	export_release(&j->export);
	buf_release(&j->complaint);
	free(j->unit);
	free(j->dir);
	free(j->cursor);
	feed_release(f);
	free(j);
}

struct feed *
journalfeed_new(const char *location, const char *dir)
{
	static const struct feed_ops ops = { .start = journal_start, .save = journal_save, .restore = journal_restore,
	    .free = journal_free };
	struct journal_feed *j = xcalloc(1, sizeof *j);

	feed_init(&j->feed, &ops, location);
	j->unit = xstrdup(location + strlen("journal:"));
	j->dir = dir ? xstrdup(dir) : NULL;
	j->complaint = (struct buf)BUF_INIT;
	j->again = (struct loop_timer){ .fn = journalctl_run, .cookie = j };
	export_init(&j->export);
	return &j->feed;
}
