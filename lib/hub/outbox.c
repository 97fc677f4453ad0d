#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hlc.h"
#include "base/xalloc.h"
#include "hub/outbox.h"
#include "hub/outqueue.h"

enum { QUEUES = 2, URGENT_MAX = 16 << 20, BULK_MAX = 64 << 20 };

struct outbox {
	struct hlc clock;
	struct outqueue *queues[QUEUES];
};

static int
queue_open(struct outbox *o, const char *dir, enum outbox_queue q, int64_t max, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, q == OUTBOX_URGENT ? "urgent" : "bulk");
	struct outqueue_level level;
	int r = outqueue_open(path, max, q == OUTBOX_URGENT, &o->queues[q]);

	if (r < 0)
		return fail_errno(f, r, "%s", path);
	outqueue_get_level(o->queues[q], &level);
	hlc_see(&o->clock, level.last);
	return 0;
}

int
outbox_open(const char *dir, int64_t urgent_max, int64_t bulk_max, struct outbox **out, struct fail *f)
{
	struct outbox *o = xcalloc(1, sizeof *o);
	int r = queue_open(o, dir, OUTBOX_URGENT, urgent_max ? urgent_max : URGENT_MAX, f);

	if (r == 0)
		r = queue_open(o, dir, OUTBOX_BULK, bulk_max ? bulk_max : BULK_MAX, f);
	if (r < 0) {
		outbox_close(o);
		return r;
	}
	*out = o;
	return 0;
}

void
outbox_close(struct outbox *o)
{
	if (!o)
		return;
	for (int i = 0; i < QUEUES; i++)
		outqueue_close(o->queues[i]);
	free(o);
}

static bool
is_own_member(const char *key)
{
	return strcmp(key, "id") == 0 || strcmp(key, "prev") == 0 || strcmp(key, "acked") == 0;
}

static void
set_id(struct json *record, const char *key, int64_t id)
{
	char digits[24];
	int n = snprintf(digits, sizeof digits, "%" PRId64, id);

	json_set(record, key, json_number_text(digits, (size_t)n));
}

int
outbox_add(struct outbox *o, enum outbox_queue q, struct json record, int64_t *id)
{
	_cleanup_json_ struct json line = json_object();
	_cleanup_buf_ struct buf text = BUF_INIT;
	const int64_t mine = hlc_next(&o->clock, clock_wall_ms());
	int r;

	set_id(&line, "id", mine);
	for (struct json_iter it = json_begin(record); json_next(&it); )
		if (!is_own_member(it.key))
			json_set(&line, it.key, json_copy(it.value));
	json_format(line, &text);
	buf_putc(&text, '\n');
	if (text.len > OUTBOX_RECORD_MAX)
		return -EMSGSIZE;
	r = outqueue_append(o->queues[q], mine, text.s, text.len);
	if (r == 0 && id)
		*id = mine;
	return r;
}

int
outbox_commit(struct outbox *o)
{
	int r = outqueue_commit(o->queues[OUTBOX_URGENT]);

	if (r == 0)
		return outqueue_commit(o->queues[OUTBOX_BULK]);
	outqueue_revert(o->queues[OUTBOX_BULK]);
	return r;
}

/* ITEM as a record; a line that is no JSON any more, as a power cut leaves it in the bulk queue, was dropped. */
static struct json
item_record(struct outqueue_item *item, int64_t acked)
{
	_cleanup_json_ struct json line = JSON_ABSENT;
	struct json v = json_object();
	struct fail f;

	if (!item->dropped && (json_parse(NULL, item->line.s, item->line.len, &line, &f) < 0 || !json_is_object(line)))
		item->dropped = 1;
	set_id(&v, "id", item->id);
	set_id(&v, "prev", item->prev);
	set_id(&v, "acked", acked);
	if (item->dropped)
		set_id(&v, "dropped", item->dropped);
	for (struct json_iter it = json_begin(line); json_next(&it); )
		if (!is_own_member(it.key))
			json_set(&v, it.key, json_copy(it.value));
	return v;
}

int
outbox_next(struct outbox *o, enum outbox_queue q, int64_t after, struct json *out)
{
	struct outqueue_item item = OUTQUEUE_ITEM_INIT;
	struct outqueue_level level;
	int r = outqueue_next(o->queues[q], after, &item);

	outqueue_get_level(o->queues[q], &level);
	if (r > 0)
		*out = item_record(&item, level.confirmed);
	buf_release(&item.line);
	return r;
}

int
outbox_confirm(struct outbox *o, enum outbox_queue q, int64_t id)
{
	return outqueue_confirm(o->queues[q], id);
}

int
outbox_confirm_to(struct outbox *o, enum outbox_queue q, int64_t id)
{
	return outqueue_confirm_to(o->queues[q], id);
}

void
outbox_get_level(const struct outbox *o, enum outbox_queue q, struct outbox_level *level)
{
	struct outqueue_level l;

	outqueue_get_level(o->queues[q], &l);
	*level = (struct outbox_level){
		.records = l.records, .bytes = l.bytes, .max = l.max, .dropped = l.dropped,
		.dropped_all = l.dropped_all, .damaged = l.damaged,
		.confirmed = l.confirmed, .last = l.last,
	};
}
