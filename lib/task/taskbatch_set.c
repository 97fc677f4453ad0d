#include "base/diag.h"
#include "task/params.h"
#include "task/taskbatch_set.h"
#include "task/taskevent.h"

void
taskbatch_set_init(struct taskbatch_set *s, struct pump *pump)
{
	*s = (struct taskbatch_set){ .status = EXIT_OK, .pump = pump };
	s->tail = &s->first;
}

void
taskbatch_set_release(struct taskbatch_set *s)
{
	while (s->first)
		taskbatch_set_remove(s, s->first);
}

struct taskbatch_task *
taskbatch_set_find(struct taskbatch_set *s, int64_t id)
{
	struct taskbatch_task *t = s->first;

	while (t && t->id != id)
		t = t->next;
	return t;
}

void
taskbatch_set_add(struct taskbatch_set *s, struct taskbatch_task *t)
{
	*s->tail = t;
	s->tail = &t->next;
	s->queued++;
}

void
taskbatch_set_remove(struct taskbatch_set *s, struct taskbatch_task *t)
{
	struct taskbatch_task **p = &s->first;

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	if (s->tail == &t->next)
		s->tail = p;
	s->over -= t->over;
	taskbatch_task_free(t);
}

void
taskbatch_set_submitted(struct taskbatch_set *s, struct taskbatch_task *t, int64_t session)
{
	s->queued -= t->held_by == 0;
	t->held_by = session;
}

void
taskbatch_set_end(struct taskbatch_set *s, struct taskbatch_task *t, struct json v, struct buf *records)
{
	int status;

	s->over += !t->over;
	status = taskbatch_task_end(t, v, records);
	if (status == TASKEVENT_UNKNOWN)
		s->status = TASKEVENT_UNKNOWN;
	else if (status != 0 && s->status == EXIT_OK)
		s->status = EXIT_NO;
}

void
taskbatch_set_refuse(struct taskbatch_set *s, struct taskbatch_task *t, const char *state, const char *reason)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf records = BUF_INIT;

	json_set_text(&v, "state", state);
	json_set_text(&v, "reason", reason);
	taskbatch_set_end(s, t, v, &records);
	pump_write(s->pump, records.s, records.len);
	s->queued--;
	taskbatch_set_remove(s, t);
}

struct json
taskbatch_set_over(const struct taskbatch_set *s)
{
	struct json ids = json_array();

	for (const struct taskbatch_task *t = s->first; t && json_count(ids) < PARAMS_LIST_MAX; t = t->next)
		if (t->over)
			json_append(&ids, json_number((double)t->id));
	return ids;
}

void
taskbatch_set_forget_over(struct taskbatch_set *s)
{
	for (struct taskbatch_task *t = s->first, *next; t; t = next) {
		next = t->next;
		if (t->over)
			taskbatch_set_remove(s, t);
	}
}

void
taskbatch_set_forget(struct taskbatch_set *s, struct json items)
{
	for (size_t i = 0; i < json_count(items); i++) {
		_cleanup_json_ struct json item = json_at(items, i), id = json_get(item, "id");
		struct taskbatch_task *t = NULL;
		int64_t n;

		if (json_get_whole(item, &n) || json_get_whole(id, &n))
			t = taskbatch_set_find(s, n);
		if (t && t->over)
			taskbatch_set_remove(s, t);
	}
}
