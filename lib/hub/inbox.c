#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "base/inotify.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "hub/hubdir.h"
#include "hub/inbox.h"
#include "hub/intake.h"
#include "hub/refusals.h"
#include "hub/submission.h"

enum { SWEEP_MS = 10000, RETRY_MS = 5000, FULL_MS = 1000 };

struct inbox {
	struct inbox_spec spec;
	struct intake intake;
	struct refusals refusals;
	int inotify;
	bool again;		/* something came while a pass was under way */
	struct loop_timer scan, sweep;
};

/* The record of ITEM: nothing that a sender may not say of it. */
static struct json
record_of(const struct intake_item *item)
{
	static const char *const members[] = { "kind", "key", "value", "time", "wait" };
	const struct timespec at = { item->time_ms / 1000, item->time_ms % 1000 * 1000000 };
	_cleanup_json_ struct json time = json_get(item->value, "time");
	struct json record = json_object();
	char text[CLOCK_TEXT];

	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		struct json v = json_get(item->value, members[i]);

		if (json_kind(v) != JSON_NONE)
			json_set(&record, members[i], v);
	}
	if (!json_get_string(time))
		json_set_text(&record, "time", clock_format(at, text));
	json_set_text(&record, "sub", item->sub);
	return record;
}

static enum intake_verdict
item_accept(const struct intake_item *item, void *cookie, struct fail *f)
{
	struct inbox *i = cookie;
	_cleanup_json_ struct json record = record_of(item);
	const char *kind = json_get_text(item->value, "kind");
	int64_t id = 0;
	int r;

	if (strcmp(kind, "call") == 0)
		return outcalls_accept(i->spec.outcalls, item, f) == 0 ? INTAKE_ACCEPTED : INTAKE_REFUSED;
	if (dialect_check(i->spec.dialect, record, f) < 0)
		return INTAKE_REFUSED;
	r = outbox_add(i->spec.outbox, submission_is_urgent(kind) ? OUTBOX_URGENT : OUTBOX_BULK, record, &id);
	if (r == 0) {
		logger_note(&i->spec.log, "record %jd accepted: %s %s, submitted as %s", (intmax_t)id, kind, json_get_text(record, "key"), item->sub);
		return INTAKE_ACCEPTED;
	}
	fail_errno(f, r, "outbox");
	return r == -EMSGSIZE ? INTAKE_REFUSED : INTAKE_FULL;
}

static int
batch_commit(void *cookie)
{
	struct inbox *i = cookie;

	return outbox_commit(i->spec.outbox);
}

static void
item_refused(const struct fail *f, int64_t n, void *cookie)
{
	struct inbox *i = cookie;

	if (!refusals_may_tell(&i->refusals, clock_mono_ms(), &i->spec.log, "submissions"))
		return;
	if (n > 1)
		logger_info(&i->spec.log, "submission refused: %s, and %jd more records of it", f->text, (intmax_t)n - 1);
	else
		logger_info(&i->spec.log, "submission refused: %s", f->text);
}

void
inbox_scan(struct inbox *i)
{
	const struct intake_callbacks cb = { item_accept, batch_commit, item_refused, i };
	const int64_t refused = i->intake.refused;
	const bool begins = !i->intake.more;
	int r;

	i->again = i->again && !begins;
	r = intake_scan(&i->intake, &cb);
	if (r < 0) {
		logger_info(&i->spec.log, "%s/in: %s", i->spec.dir, strerror(-r));
		loop_timer_set(i->spec.loop, &i->scan, RETRY_MS);
	} else if (i->intake.more || i->again) {
		loop_timer_set(i->spec.loop, &i->scan, 0);
	} else if (i->intake.left) {	/* it is taken when there is room */
		loop_timer_set(i->spec.loop, &i->scan, FULL_MS);
	}
	if (r != 0 || i->intake.refused != refused)
		i->spec.changed(i->spec.cookie);
}

static void
on_scan(void *cookie)
{
	inbox_scan(cookie);
}

static void
on_inotify(int fd, short events, void *cookie)
{
	struct inbox *i = cookie;

	(void)events;
	if (inotify_drain(fd) <= 0)
		return;
	if (i->intake.more)
		i->again = true;	/* its name may be before those that are read now */
	else
		inbox_scan(i);
}

static void
on_sweep(void *cookie)
{
	struct inbox *i = cookie;

	if (!i->intake.more)
		inbox_scan(i);
	intake_sweep(&i->intake, clock_wall_ms());
	loop_timer_set(i->spec.loop, &i->sweep, SWEEP_MS);
}

struct inbox *
inbox_new(const struct inbox_spec *spec)
{
	struct inbox *i = xcalloc(1, sizeof *i);
	_cleanup_free_ char *in = hubdir_file(spec->dir, "in");

	*i = (struct inbox){ .spec = *spec, .intake = { .dir = spec->dir, .authority = spec->authority }, .inotify = inotify_open(),
	    .scan = { .fn = on_scan, .cookie = i }, .sweep = { .fn = on_sweep, .cookie = i } };
	if (i->inotify >= 0 && inotify_watch(i->inotify, in, IN_MOVED_TO | IN_ONLYDIR) >= 0)
		loop_watch(spec->loop, i->inotify, POLLIN, on_inotify, i);
	else
		logger_info(&spec->log, "%s: cannot be watched: read every 10 s", in);
	loop_timer_set(spec->loop, &i->sweep, 0);
	return i;
}

void
inbox_free(struct inbox *i)
{
	if (!i)
		return;
	loop_timer_stop(i->spec.loop, &i->scan);
	loop_timer_stop(i->spec.loop, &i->sweep);
	if (i->inotify >= 0)
		loop_unwatch(i->spec.loop, i->inotify);
	io_closep(&i->inotify);
	intake_release(&i->intake);
	free(i);
}

void
inbox_get_counts(const struct inbox *i, struct inbox_counts *counts)
{
	*counts = (struct inbox_counts){ i->intake.accepted, i->intake.refused, i->intake.full };
}
