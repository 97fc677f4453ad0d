#include <errno.h>
#include <string.h>

#include "base/xalloc.h"
#include "task/archive.h"
#include "task/params.h"

char *
archive_path(struct adopted_mark mark, int wait_s)
{
	return xasprintf("/1/history?after=%jd&store=%jd&wait=%d", (intmax_t)mark.history, (intmax_t)mark.store, wait_s);
}

void
archive_describe(struct json *body, struct adopted_mark mark)
{
	json_set(body, "history", json_number((double)mark.history));
	if (mark.store != 0)
		json_set(body, "store", json_number((double)mark.store));
}

int
archive_follow(const struct inquiry_agent *a, struct inquiry_link *l, struct controller *c, int wait_s, struct fail *f)
{
	bool has_more = true;
	int r = 0;

	/*
	 * An answer has as much as the agent has room for: until there is no more.  Another store than
	 * the last time sends what it has from the beginning on: once more, after what is here of it.
	 */
	for (int i = 0; has_more && r == 0; i++) {
		_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
		const struct adopted_mark mark = controller_adopted(c);
		_cleanup_free_ char *path = archive_path(mark, i == 0 ? wait_s : 0);

		r = inquiry_follow(a, l, path, &q, f);
		if (r == 0)
			r = controller_adopt(c, q.store, q.body.s, q.body.len, f);
		has_more = q.store != mark.store || controller_adopted(c).history > mark.history;
	}
	return r;
}

int
archive_merge(const struct inquiry_agent *a, struct controller *c, int wait_s, struct fail *f)
{
	struct inquiry_link once = { .events = NULL };

	return archive_follow(a, &once, c, wait_s, f);
}

int
archive_find_over(const struct inquiry_agent *a, struct json *ids, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_json_ struct json tasks = JSON_ABSENT;
	int r = inquiry_get(a, "/1/tasks", &q, f);

	if (r < 0)
		return r;
	tasks = json_get(q.v, "tasks");
	for (size_t i = 0; i < json_count(tasks); i++) {
		_cleanup_json_ struct json v = json_at(tasks, i);
		const char *state = json_get_text(v, "state");

		if (state && strcmp(state, "running") != 0 && strcmp(state, "recorded") != 0)
			json_append(ids, json_get(v, "id"));
	}
	return 0;
}

bool
archive_is_unknown(struct json item)
{
	const char *word = json_get_text(item, "error");

	return word && strcmp(word, "no-task") == 0;
}

void
archive_forget(struct controller *c, struct json v)
{
	_cleanup_json_ struct json released = json_get(v, "released"), refused = json_get(v, "refused");
	int64_t id;

	for (size_t i = 0; i < json_count(released); i++) {
		_cleanup_json_ struct json item = json_at(released, i);

		if (json_get_whole(item, &id))
			controller_forget_task(c, id);
	}
	for (size_t i = 0; i < json_count(refused); i++) {
		_cleanup_json_ struct json item = json_at(refused, i), task = json_get(item, "id");

		if (archive_is_unknown(item) && json_get_whole(task, &id))
			controller_forget_task(c, id);
	}
}

/* Those of IDS from the place FROM on, as many as one request may have. */
static int
release_part(const struct inquiry_agent *a, struct controller *c, struct json ids, size_t from, struct json *refused,
    struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_json_ struct json v = json_object(), items = JSON_ABSENT;
	struct json part = json_array();
	int r;

	for (size_t i = from; i < json_count(ids) && i < from + PARAMS_LIST_MAX; i++)
		json_append(&part, json_at(ids, i));
	archive_describe(&v, controller_adopted(c));
	json_set(&v, "tasks", part);
	r = inquiry_post(a, "/1/release", &v, &q, f);
	if (r < 0)
		return r;
	archive_forget(c, q.v);
	items = json_get(q.v, "refused");
	for (size_t i = 0; i < json_count(items); i++)
		json_append(refused, json_at(items, i));
	return 0;
}

int
archive_release(const struct inquiry_agent *a, struct controller *c, struct json ids, struct json *refused,
    struct fail *f)
{
	int r = archive_merge(a, c, 0, f);	/* on the disk here before it may go there */
	size_t from = 0;

	*refused = json_array();
	do {
		r = r < 0 ? r : release_part(a, c, ids, from, refused, f);
		from += PARAMS_LIST_MAX;
	} while (r == 0 && from < json_count(ids));
	return r;
}
