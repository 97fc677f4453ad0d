#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/enumerate.h"
#include "component/enumerate_item.h"
#include "component/inventory.h"
#include "component/probe.h"
#include "component/template.h"
#include "component/udev.h"

struct enumeration {
	struct loop *loop;
	struct inventory *inventories;	/* of one that was refused, the path alone */
	size_t n_inventories;
	bool *refused;			/* of each */
	struct enumerate_report report;	/* of its items */
	struct enumerate_spec spec;	/* its paths are not used after the start */
	enumerate_done *done;
	void *cookie;
	struct enumerate_item *items;
	size_t n, cap;
	struct udev_scan *devices;
	struct probe_pool *probes;
	size_t n_probing;
	struct loop_timer end;
	enum exit_status worst;
};

static void
problem_report(const struct fail *f, void *cookie)
{
	struct enumeration *e = cookie;

	if (f->status > e->worst)
		e->worst = f->status;
	if (e->spec.problem)
		e->spec.problem(f, e->spec.cookie);
}

static struct enumerate_item *
add_item(struct enumeration *e, const struct enumerate_item *model)
{
	e->items = xgrow(e->items, e->n, &e->cap, sizeof *e->items);
	e->items[e->n] = *model;
	return &e->items[e->n++];
}

static void
examine_data_file(struct enumerate_item *i)
{
	_cleanup_free_ char *path = i->has_data_file ? enumerate_item_data_file(i) : NULL;
	_cleanup_json_ struct json data = JSON_ABSENT;
	struct fail f;
	int r;

	if (!path)
		return;
	if (i->owner->spec.observer)
		i->owner->spec.observer->data_file(i->id, path, i->owner->spec.observer->cookie);
	r = json_load(path, FILE_NOFOLLOW, FILE_DATA_MAX, &data, &f);
	if (r == 0 && !json_is_object(data))
		r = fail_set(&f, EXIT_USAGE, "%s: is %s, not an object", path, json_kind_name(data));
	if (r == -ENOENT || r == -ENOTDIR)
		enumerate_item_decide(i, COMPONENT_OFFLINE, f.text);
	else if (r < 0)
		enumerate_item_decide(i, COMPONENT_UNREADABLE, f.text);
	else
		enumerate_item_merge(i, data, path);
}

/* Call FN for each device that MATCH fits; how many. */
static int
match_devices(struct enumeration *e, struct json match, udev_found_fn *fn, void *cookie)
{
	if (e->spec.observer)
		e->spec.observer->match(match, e->spec.observer->cookie);
	if (!e->devices)
		e->devices = udev_scan_new();
	return udev_scan_match(e->devices, match, fn, cookie);
}

static void
observe_device(const struct udev_found *d, void *cookie)
{
	const struct enumerate_item *i = cookie;
	const struct enumerate_observer *o = i->owner->spec.observer;

	if (o)
		o->device(i->id, udev_found_path(d), o->cookie);
}

static void
examine_devices(struct enumerate_item *i)
{
	if (json_kind(i->udev) == JSON_NONE)
		return;
	if (match_devices(i->owner, i->udev, observe_device, i) == 0)
		enumerate_item_decide(i, COMPONENT_OFFLINE, "no device matches");
}

static void
on_probed(enum component_state state, struct json members, const char *reason, void *cookie)
{
	struct enumerate_item *i = cookie;
	struct enumeration *e = i->owner;

	if (state != COMPONENT_ONLINE)
		enumerate_item_decide(i, state, reason);
	else if (json_is_object(members))
		enumerate_item_merge(i, members, "what the probe printed");
	if (--e->n_probing == 0)
		loop_timer_set(e->loop, &e->end, 0);
}

/* The entry's own "state" counts if no path, udev or probe determines it. */
static void
take_own_state(struct enumerate_item *i)
{
	if (!i->text && !i->has_data_file && !i->device && json_kind(i->udev) == JSON_NONE &&
	    json_kind(i->probe) == JSON_NONE)
		i->state = component_state(i->component);
}

/* The cheap looks first; what is not here need not be asked. */
static void
item_examine(struct enumerate_item *i)
{
	struct enumeration *e = i->owner;

	take_own_state(i);
	examine_devices(i);
	if (i->state != COMPONENT_OFFLINE)
		examine_data_file(i);
	if (i->doubt)
		enumerate_item_decide(i, COMPONENT_UNREADABLE, i->doubt);
	if (i->state == COMPONENT_OFFLINE || json_kind(i->probe) == JSON_NONE)
		return;
	if (!e->probes)
		e->probes = probe_pool_new(e->loop, e->spec.probe_timeout_ms);
	e->n_probing++;
	probe_pool_add(e->probes, i->probe, on_probed, i);
}

struct expansion {
	struct enumeration *e;
	const struct inventory_entry *entry;
	size_t inventory, at;
};

static const char *
get_of_device(const char *name, void *cookie)
{
	return udev_is_name(name) ? udev_found_get(cookie, name) : NULL;
}

/* One device of a template.  The cookie is not const, and the device is only read. */
static void
add_device(const struct udev_found *d, void *cookie)
{
	struct expansion *x = cookie;
	const struct inventory_entry *entry = x->entry;
	struct enumerate_item i = { .owner = x->e, .report = &x->e->report,
	    .path = x->e->inventories[x->inventory].path, .id = json_get_text(entry->component, "id"),
	    .inventory = x->inventory, .entry = x->at, .has_data_file = entry->has_data_file,
	    .doubt = entry->doubt,
	    .device = xstrdup(udev_found_path(d)) };
	union { const struct udev_found *in; void *out; } device = { d };
	struct json with_probe = json_copy(entry->component);
	struct fail f;
	int r;

	if (json_kind(entry->probe) != JSON_NONE)
		json_set(&with_probe, "probe", json_copy(entry->probe));
	r = template_fill(with_probe, get_of_device, device.out, &i.component, &f);
	json_release(&with_probe);
	i.probe = json_get(i.component, "probe");
	json_remove(&i.component, "probe");
	if (json_get_text(i.component, "id") && *json_get_text(i.component, "id")) {
		struct enumerate_item *added;

		i.id = json_get_text(i.component, "id");
		observe_device(d, &i);
		added = add_item(x->e, &i);
		if (r < 0)
			enumerate_item_decide(added, COMPONENT_UNREADABLE, f.text);
	} else {
		enumerate_item_problem(&i, EXIT_NO, "left out: %s", r < 0 ? f.text : "its id would be empty");
		enumerate_item_release(&i);
	}
}

/* The entries of inventory AT become items, which take what they own. */
static void
add_entries(struct enumeration *e, size_t at)
{
	struct inventory *inv = &e->inventories[at];

	for (size_t k = 0; k < inv->n; k++) {
		struct inventory_entry *entry = &inv->entries[k];

		if (entry->each) {
			struct expansion x = { e, entry, at, k };

			match_devices(e, entry->udev, add_device, &x);
			continue;
		}
		add_item(e, &(struct enumerate_item){ .owner = e, .report = &e->report, .path = inv->path,
		    .component = entry->component,
		    .udev = entry->udev, .probe = entry->probe, .id = inventory_id(inv, k),
		    .text = entry->text_len ? inv->text.s + entry->text : NULL,
		    .text_len = entry->text_len, .inventory = at, .entry = k,
		    .has_data_file = entry->has_data_file, .doubt = entry->doubt });
		entry->component = entry->udev = entry->probe = JSON_ABSENT;
	}
}

/* By id; then those that the inventories name before those that devices do, as they stand. */
static int
items_compare(const void *a, const void *b)
{
	const struct enumerate_item *x = a, *y = b;
	int c = strcmp(x->id, y->id);

	if (c == 0)
		c = !!x->device - !!y->device;
	if (c == 0)
		c = x->inventory < y->inventory ? -1 : x->inventory > y->inventory;
	return c ? c : x->entry < y->entry ? -1 : x->entry > y->entry;
}

static void
items_sort(struct enumeration *e)
{
	for (size_t i = 1; i < e->n; i++)
		if (items_compare(&e->items[i - 1], &e->items[i]) > 0) {
			qsort(e->items, e->n, sizeof *e->items, items_compare);
			return;
		}
}

/* As the inventories name them; the devices of one template by id. */
static int
compare_place(const void *a, const void *b)
{
	const struct enumerate_item *x = a, *y = b;
	int c = x->inventory < y->inventory ? -1 : x->inventory > y->inventory;

	if (c == 0)
		c = x->entry < y->entry ? -1 : x->entry > y->entry;
	return c ? c : strcmp(x->id, y->id);
}

static size_t
end_of_group(const struct enumeration *e, size_t i)
{
	size_t end = i + 1;

	while (end < e->n && strcmp(e->items[end].id, e->items[i].id) == 0)
		end++;
	return end;
}

/* The next item from I on, before END, that an inventory not refused names. */
static size_t
next_named(const struct enumeration *e, size_t i, size_t end)
{
	while (i < end && (e->items[i].device || e->refused[e->items[i].inventory]))
		i++;
	return i;
}

/*
 * Refuse the first inventory that names an id again; false where there is none.
 * Since a refused one takes its ids with it, this is done again until none is left.
 */
static bool
refuse_one(struct enumeration *e)
{
	struct enumerate_item *first = NULL, *again = NULL;
	_cleanup_buf_ struct buf at = BUF_INIT;

	for (size_t i = 0, end; i < e->n; i = end) {
		size_t a, b;

		end = end_of_group(e, i);
		if (end == i + 1)
			continue;
		a = next_named(e, i, end);
		b = a < end ? next_named(e, a + 1, end) : end;
		if (b < end && (!again || e->items[b].inventory < again->inventory)) {
			first = &e->items[a];
			again = &e->items[b];
		}
	}
	if (!again)
		return false;
	inventory_where(e->inventories[first->inventory].path, first->entry, NULL, &at);
	enumerate_item_problem(again, EXIT_USAGE, "the same id as %s", at.s);
	e->refused[again->inventory] = true;
	return true;
}

/* Ids that devices brought: of none of those that have the same can be said which it is. */
static void
settle_devices(struct enumeration *e)
{
	for (size_t i = 0, end; i < e->n; i = end) {
		struct enumerate_item *first = &e->items[i];

		end = end_of_group(e, i);
		for (size_t k = i + 1; k < end; k++) {
			struct enumerate_item *again = &e->items[k];
			_cleanup_buf_ struct buf text = BUF_INIT;

			if (!again->device)
				continue;
			buf_puts(&text, "the same id as ");
			enumerate_item_location(first, &text);
			enumerate_item_problem(again, EXIT_NO, "left out: %s", text.s);
			again->dropped = true;
			buf_reset(&text);
			buf_printf(&text, "another device has the same id: %s", again->device);
			if (first->device)
				enumerate_item_decide(first, COMPONENT_UNREADABLE, text.s);
		}
	}
}

static void
drop_refused(struct enumeration *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		if (e->items[i].dropped || e->refused[e->items[i].inventory])
			enumerate_item_release(&e->items[i]);
		else
			e->items[n++] = e->items[i];
	e->n = n;
}

static void
enumeration_free(struct enumeration *e)
{
	loop_timer_stop(e->loop, &e->end);
	probe_pool_free(e->probes);
	udev_scan_free(e->devices);
	for (size_t i = 0; i < e->n; i++)
		enumerate_item_release(&e->items[i]);
	free(e->items);
	for (size_t i = 0; i < e->n_inventories; i++)
		inventory_release(&e->inventories[i]);
	free(e->inventories);
	free(e->refused);
	free(e);
}

enum component_state
enumerate_state(const struct enumerate_item *c)
{
	return c->state;
}

struct json
enumerate_record(const struct enumerate_item *c)
{
	struct json v = JSON_ABSENT;
	struct fail f;

	if (c->text)
		json_parse(NULL, c->text, c->text_len, &v, &f);
	else
		v = json_copy(c->component);
	component_set_state(&v, c->state);
	if (c->reason)
		json_set_text(&v, "reason", c->reason);
	return v;
}

void
enumerate_format(const struct enumerate_item *c, struct buf *out)
{
	_cleanup_json_ struct json v = JSON_ABSENT;

	if (c->text && !c->reason) {
		/* an id is in it, so there is a member for the comma to follow */
		buf_add(out, c->text, c->text_len - 1);
		buf_puts(out, ",\"state\":\"");
		buf_puts(out, component_state_name(c->state));
		buf_puts(out, "\"}");
		return;
	}
	v = enumerate_record(c);
	json_format(v, out);
}

static void
hand_over(void *cookie)
{
	struct enumeration *e = cookie;
	_cleanup_json_ struct json components = JSON_ABSENT;

	if (!e->spec.each)
		components = json_array();
	for (size_t i = 0; i < e->n; i++)
		if (e->spec.each)
			e->spec.each(&e->items[i], e->spec.cookie);
		else
			json_append(&components, enumerate_record(&e->items[i]));
	e->done(components, e->worst, e->cookie);
	enumeration_free(e);
}

static void
load_all(struct enumeration *e)
{
	for (size_t i = 0; i < e->n_inventories; i++) {
		struct fail f;

		if (inventory_load(e->spec.inventories[i], e->spec.group, &e->inventories[i], &f) == 0) {
			add_entries(e, i);
			continue;
		}
		e->inventories[i].path = xstrdup(e->spec.inventories[i]);
		problem_report(&f, e);
	}
}

struct enumeration *
enumerate_start(struct loop *l, const struct enumerate_spec *spec, enumerate_done *done,
    void *cookie)
{
	struct enumeration *e = xcalloc(1, sizeof *e);

	*e = (struct enumeration){ .loop = l, .spec = *spec, .done = done, .cookie = cookie,
	    .report = { problem_report, e }, .end = { .fn = hand_over, .cookie = e } };
	while (spec->inventories[e->n_inventories])
		e->n_inventories++;
	e->inventories = xcalloc(e->n_inventories, sizeof *e->inventories);
	e->refused = xcalloc(e->n_inventories, sizeof *e->refused);
	load_all(e);
	items_sort(e);
	while (refuse_one(e))
		;
	drop_refused(e);
	settle_devices(e);
	drop_refused(e);
	if (spec->inventory_order)
		qsort(e->items, e->n, sizeof *e->items, compare_place);
	for (size_t i = 0; i < e->n; i++)
		item_examine(&e->items[i]);
	if (e->n_probing == 0)
		loop_timer_set(l, &e->end, 0);
	return e;
}

void
enumerate_cancel(struct enumeration *e)
{
	if (e)
		enumeration_free(e);
}

struct whole {
	struct loop *loop;
	struct json *components;
	enum exit_status worst;
};

static void
components_keep(struct json components, enum exit_status worst, void *cookie)
{
	struct whole *w = cookie;

	*w->components = json_copy(components);
	w->worst = worst;
	loop_stop(w->loop, 0);
}

enum exit_status
enumerate(const struct enumerate_spec *spec, struct json *components)
{
	struct whole w = { .loop = loop_new(), .components = components };

	enumerate_start(w.loop, spec, components_keep, &w);
	loop_run(w.loop);
	loop_free(w.loop);
	return w.worst;
}
