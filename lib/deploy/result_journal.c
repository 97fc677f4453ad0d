#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hlc.h"
#include "base/journal.h"
#include "base/xalloc.h"
#include "deploy/result_journal.h"

enum { JOURNAL_MAX = 16 << 20 };

struct result_journal {
	char *path;
	struct journal *journal;
	struct hlc clock;
	struct json unwritten;		/* array of records that could not be written */
};

/* Ids go on after the last one that was given, whatever the clock says now. */
static void
clock_resume(struct result_journal *j)
{
	_cleanup_buf_ struct buf line = BUF_INIT;
	_cleanup_json_ struct json last = JSON_ABSENT;
	_cleanup_json_ struct json id = JSON_ABSENT;
	struct fail ignored;
	int64_t number;

	if (journal_last(j->path, &line) < 0 || line.len == 0 ||
	    json_parse(NULL, line.s, line.len, &last, &ignored) < 0)
		return;
	id = json_get(last, "id");
	if (json_get_whole(id, &number))
		hlc_see(&j->clock, number);
}

int
result_journal_open(const char *dir, struct result_journal **out, struct fail *f)
{
	struct result_journal *j = xcalloc(1, sizeof *j);
	int e;

	j->path = xasprintf("%s/journal.jsonl", dir);
	j->unwritten = json_array();
	j->journal = journal_open(j->path, JOURNAL_MAX);
	if (!j->journal) {
		e = fail_errno(f, errno, "%s", j->path);
		result_journal_close(j);
		return e;
	}
	clock_resume(j);
	*out = j;
	return 0;
}

void
result_journal_close(struct result_journal *j)
{
	if (!j)
		return;
	journal_close(j->journal);
	json_release(&j->unwritten);
	free(j->path);
	free(j);
}

int64_t
result_journal_next_id(struct result_journal *j)
{
	return hlc_next(&j->clock, clock_wall_ms());
}

struct json
result_journal_record(struct result_journal *j, const char *workflow, const struct cycle_result *r)
{
	struct json v = json_object();
	char now[CLOCK_TEXT];

	json_set(&v, "id", json_number((double)result_journal_next_id(j)));
	json_set_text(&v, "time", clock_now(now));
	json_set_text(&v, "workflow", workflow);
	json_set_text(&v, "step", r->step);
	json_set_text(&v, "component", r->component);
	json_set_text(&v, "phase", r->phase);
	json_set(&v, "resultCode", json_number(r->code));
	json_set(&v, "extendedResultCode", json_number(r->erc));
	json_set_text(&v, "details", r->details);
	return v;
}

static int
record_write(struct result_journal *j, struct json record)
{
	_cleanup_buf_ struct buf line = BUF_INIT;

	json_format(record, &line);
	return journal_add(j->journal, line.s, line.len);
}

/* The ones that were kept, in their order; those that are not certainly on disk are kept still. */
static int
unwritten_write(struct result_journal *j)
{
	const size_t n = json_count(j->unwritten);
	struct json rest;
	size_t done = 0;
	int e = 0;

	if (n == 0)
		return 0;
	while (e == 0 && done < n) {
		_cleanup_json_ struct json record = json_at(j->unwritten, done);

		e = record_write(j, record);
		if (e == 0)
			done++;
	}
	if (e == 0)
		e = journal_sync(j->journal);
	if (e < 0 && done == n)
		done = 0;
	rest = json_array();
	for (size_t i = done; i < n; i++)
		json_append(&rest, json_at(j->unwritten, i));
	json_release(&j->unwritten);
	j->unwritten = rest;
	return e;
}

int
result_journal_sync(struct result_journal *j, struct fail *f)
{
	int e = unwritten_write(j);

	if (e == 0)
		e = journal_sync(j->journal);
	return e < 0 ? fail_errno(f, e, "%s", j->path) : 0;
}

int
result_journal_add(struct result_journal *j, struct json record, bool is_change, struct fail *f)
{
	int e = unwritten_write(j);

	if (e == 0)
		e = record_write(j, record);
	if (e == 0 && is_change)
		e = journal_sync(j->journal);
	if (e < 0)
		json_append(&j->unwritten, json_copy(record));
	return e < 0 ? fail_errno(f, e, "%s", j->path) : 0;
}
