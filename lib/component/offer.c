#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "component/offer.h"

struct offer_table {
	int64_t max_pause_ms;
	struct json last;	/* id: {"evaluation","at","pause"}, times in ms */
};

struct offer_table *
offer_table_new(int64_t max_pause_ms)
{
	struct offer_table *o = xcalloc(1, sizeof *o);

	o->max_pause_ms = max_pause_ms > OFFER_PAUSE_MS ? max_pause_ms : OFFER_PAUSE_MS;
	o->last = json_object();
	return o;
}

void
offer_table_free(struct offer_table *o)
{
	if (!o)
		return;
	json_release(&o->last);
	free(o);
}

int64_t
offer_table_delay(const struct offer_table *o, const char *id, const char *evaluation, int64_t now_ms)
{
	_cleanup_json_ struct json entry = json_get(o->last, id);
	int64_t left;

	if (!json_is_object(entry))
		return 0;
	if (strcmp(json_get_text(entry, "evaluation"), evaluation) == 0)
		return -1;
	left = json_get_whole_or(entry, "at", 0) + json_get_whole_or(entry, "pause", 0) - now_ms;
	return left > 0 ? left : 0;
}

void
offer_table_note(struct offer_table *o, const char *id, const char *evaluation, int64_t now_ms)
{
	_cleanup_json_ struct json before = json_get(o->last, id);
	int64_t pause = json_is_object(before) ? 2 * json_get_whole_or(before, "pause", 0) : OFFER_PAUSE_MS;
	struct json entry = json_object();

	json_set_text(&entry, "evaluation", evaluation);
	json_set(&entry, "at", json_number((double)now_ms));
	json_set(&entry, "pause", json_number((double)(pause < o->max_pause_ms ? pause : o->max_pause_ms)));
	json_set(&o->last, id, entry);
}

void
offer_table_keep(struct offer_table *o, struct json waiting)
{
	for (struct json_iter it = json_begin(o->last); json_next(&it); ) {
		_cleanup_json_ struct json v = json_get(waiting, it.key);

		if (json_kind(v) == JSON_NONE)
			json_remove(&o->last, it.key);
	}
}
