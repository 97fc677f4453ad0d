#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/report_store.h"

enum { REPORT_MAX = 64 << 20 };

/* The report to its file, with the id under which it is sent. */
static int
current_replace(struct report_store *s)
{
	_cleanup_json_ struct json twin = json_copy(s->report.twin);
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (s->id)
		json_set(&twin, "report", json_number((double)s->id));
	json_format(twin, &b);
	buf_putc(&b, '\n');
	return file_replace(s->path, b.s, b.len, 0644, FILE_DURABLE);
}

/* The text of TWIN, by which a report is known to be the one on disk. */
static void
written_set(struct report_store *s, struct json twin)
{
	buf_reset(&s->written);
	json_format(twin, &s->written);
}

int
report_store_write(struct report_store *s, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int e = 0;

	if (json_count(s->report.twin) == 0)
		return 0;
	json_format(s->report.twin, &b);
	if (b.len == s->written.len && memcmp(b.s, s->written.s, b.len) == 0)
		return 0;
	if (s->reporting)
		e = reporting_add(s->reporting, s->report.twin, &s->id);
	if (e == 0)
		e = current_replace(s);
	if (e < 0)
		return fail_errno(f, e, "%s", s->path);
	buf_reset(&s->written);
	buf_add(&s->written, b.s, b.len);
	return 0;
}

static void
current_load(struct report_store *s, struct fail *note)
{
	_cleanup_json_ struct json twin = JSON_ABSENT, id = JSON_ABSENT;
	_cleanup_buf_ struct buf text = BUF_INIT;
	int e = file_load(s->path, FILE_NOFOLLOW, REPORT_MAX, &text, note);

	if (e == 0)
		e = json_parse(s->path, text.s, text.len, &twin, note);
	/* half a file cannot be: it is replaced whole */
	if (e == 0 || e == -ENOENT)
		note->text[0] = '\0';
	id = json_get(twin, "report");
	json_get_whole(id, &s->id);
	json_remove(&twin, "report");
	if (json_is_object(twin))
		written_set(s, twin);
	report_init(&s->report, twin);
}

int
report_store_set_config(struct report_store *s, const struct agent_config *config, struct fail *f)
{
	const struct reporting_spec spec = { .dir = s->outbox, .url = config->report, .posts = config->posts_reports,
	    .link = &config->link, .log = s->log, .changed = s->changed, .cookie = s->cookie };

	reporting_free(TAKE_PTR(s->reporting));
	return reporting_open(s->loop, &spec, &s->reporting, f);
}

/* One that is in the outbox and not in the file. */
static int
outbox_load(struct report_store *s, struct fail *f)
{
	_cleanup_json_ struct json twin = JSON_ABSENT;
	int64_t last;
	int e;

	if (!s->reporting)
		return 0;
	last = reporting_last(s->reporting, &twin);
	if (last <= s->id || !json_is_object(twin))
		return 0;
	report_release(&s->report);
	report_init(&s->report, twin);
	s->id = last;
	e = current_replace(s);
	if (e < 0)
		return fail_errno(f, e, "%s", s->path);
	written_set(s, s->report.twin);
	return 0;
}

int
report_store_open(struct report_store *s, struct loop *l, const char *dir, const struct agent_config *config,
    void (*log)(const char *text, void *cookie), loop_fn *changed, void *cookie, struct fail *note, struct fail *f)
{
	int e;

	*s = (struct report_store){ .loop = l, .path = xasprintf("%s/twins/current.json", dir),
	    .outbox = xasprintf("%s/outbox", dir), .written = BUF_INIT, .log = log, .changed = changed,
	    .cookie = cookie };
	current_load(s, note);
	e = report_store_set_config(s, config, f);
	return e < 0 ? e : outbox_load(s, f);
}

void
report_store_release(struct report_store *s)
{
	report_release(&s->report);
	reporting_free(TAKE_PTR(s->reporting));
	buf_release(&s->written);
	free(TAKE_PTR(s->path));
	free(TAKE_PTR(s->outbox));
}

const char *
report_store_note(const struct report_store *s)
{
	return s->reporting ? reporting_note(s->reporting) : "";
}

void
report_store_start(struct report_store *s)
{
	if (s->reporting)
		reporting_start(s->reporting);
}

void
report_store_flush(struct report_store *s, loop_fn *done, void *cookie)
{
	if (s->reporting)
		reporting_flush(s->reporting, done, cookie);
	else
		done(cookie);
}
