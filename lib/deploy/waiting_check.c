#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/inventory.h"
#include "deploy/waiting_check.h"

enum {
	PAUSE_MS = 1000, PAUSE_MAX_MS = 60 * 1000,
	QUIET_MS = 10 * 60 * 1000,
	PROBES_MS = 60 * 1000,
};

struct waiting_check {
	struct loop *loop;
	struct enumerate_spec inventory;
	loop_fn *fn;
	void *cookie;
	struct json ids;		/* an object, for its keys */
	struct enumeration *enumeration;
	struct loop_timer examine, start;
	int64_t pause_ms, found_ms, examined_ms;	/* 0 for never */
};

static bool
has_probes(const struct waiting_check *w)
{
	bool found = false;

	for (char *const *path = w->inventory.inventories; *path && !found; path++) {
		struct inventory inv = INVENTORY_INIT;
		struct fail f;

		if (inventory_load(*path, w->inventory.group, &inv, &f) < 0)
			continue;
		for (size_t i = 0; i < inv.n && !found; i++)
			found = json_kind(inv.entries[i].probe) != JSON_NONE;
		inventory_release(&inv);
	}
	return found;
}

static void
on_enumerated(struct json components, enum exit_status worst, void *cookie)
{
	struct waiting_check *w = cookie;
	const int64_t now = clock_mono_ms();
	bool found = false;

	(void)worst;
	w->enumeration = NULL;
	for (size_t i = 0; i < json_count(components) && !found; i++) {
		_cleanup_json_ struct json c = json_at(components, i);

		found = component_state(c) != COMPONENT_OFFLINE && json_get_text(w->ids, component_id(c));
	}
	if (!found)
		return;
	if (w->found_ms == 0 || now - w->found_ms >= QUIET_MS)
		w->pause_ms = PAUSE_MS;
	w->found_ms = now;
	loop_timer_set(w->loop, &w->start, w->pause_ms);
	w->pause_ms = 2 * w->pause_ms < PAUSE_MAX_MS ? 2 * w->pause_ms : PAUSE_MAX_MS;
}

static void
examine_now(void *cookie)
{
	struct waiting_check *w = cookie;

	w->examined_ms = clock_mono_ms();
	w->enumeration = enumerate_start(w->loop, &w->inventory, on_enumerated, w);
}

struct waiting_check *
waiting_check_new(struct loop *l, const struct enumerate_spec *inventory, loop_fn *fn, void *cookie)
{
	struct waiting_check *w = xcalloc(1, sizeof *w);

	*w = (struct waiting_check){ .loop = l, .inventory = *inventory, .fn = fn, .cookie = cookie,
	    .ids = json_object(), .pause_ms = PAUSE_MS,
	    .examine = { .fn = examine_now, .cookie = w }, .start = { .fn = fn, .cookie = cookie } };
	w->inventory.problem = NULL;	/* the cycle has reported it */
	w->inventory.each = NULL;
	return w;
}

void
waiting_check_free(struct waiting_check *w)
{
	if (!w)
		return;
	waiting_check_stop(w);
	json_release(&w->ids);
	free(w);
}

void
waiting_check_start(struct waiting_check *w, struct json waiting)
{
	int64_t since = w->examined_ms ? clock_mono_ms() - w->examined_ms : PROBES_MS;

	waiting_check_stop(w);
	if (json_count(waiting) == 0)
		return;
	json_release(&w->ids);
	w->ids = json_object();
	for (size_t i = 0; i < json_count(waiting); i++) {
		_cleanup_json_ struct json c = json_at(waiting, i);

		json_set_text(&w->ids, component_id(c), "");
	}
	loop_timer_set(w->loop, &w->examine, since < PROBES_MS && has_probes(w) ? PROBES_MS - since : 0);
}

void
waiting_check_stop(struct waiting_check *w)
{
	loop_timer_stop(w->loop, &w->examine);
	loop_timer_stop(w->loop, &w->start);
	if (w->enumeration)
		enumerate_cancel(TAKE_PTR(w->enumeration));
}

void
waiting_check_reset(struct waiting_check *w)
{
	w->pause_ms = PAUSE_MS;
	w->found_ms = 0;
}
