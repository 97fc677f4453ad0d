#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/enumerate.h"
#include "component/inventory.h"
#include "component/probe.h"
#include "component/template.h"
#include "component/udev.h"

/* A component on its way into the list. */
struct item {
	struct enumeration *owner;
	struct json component, udev, probe;
	const char *id;			/* COMPONENT's */
	size_t inventory, entry;	/* where it stands */
	char *device;			/* the one a template was filled in from, or NULL */
	enum component_state state;
	char *reason;			/* why it is not online */
	bool dropped;
};

struct enumeration {
	struct loop *loop;
	char **paths;
	size_t n_paths;
	bool *refused;			/* of each path */
	struct enumerate_spec spec;	/* its strings are not used after the start */
	enumerate_done *done;
	void *cookie;
	struct item *items;
	size_t n, cap;
	struct udev_look *look;
	struct probes *probes;
	size_t n_probing;
	struct loop_timer end;
	enum exit_status worst;
};

static void
problem(struct enumeration *e, const struct fail *f)
{
	if (f->status > e->worst)
		e->worst = f->status;
	if (e->spec.problem)
		e->spec.problem(f, e->spec.cookie);
}

static void
where(const struct item *i, struct buf *out)
{
	inventory_where(i->owner->paths[i->inventory], i->entry, i->id, out);
	if (i->device)
		buf_printf(out, " (%s)", i->device);
}

static void item_problem(struct item *i, enum exit_status status, const char *fmt, ...) PRINTF(3, 4);

static void
item_problem(struct item *i, enum exit_status status, const char *fmt, ...)
{
	_cleanup_buf_ struct buf at = BUF_INIT;
	char text[sizeof ((struct fail *)NULL)->text];
	struct fail f;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	where(i, &at);
	fail_set(&f, status, "%.300s: %s", at.s, text);
	problem(i->owner, &f);
}

/* Everything that says how it is here must agree: offline is the last word, then unreadable. */
static void
decide(struct item *i, enum component_state state, const char *reason)
{
	if (i->state == COMPONENT_OFFLINE || state == COMPONENT_ONLINE ||
	    (i->state == COMPONENT_UNREADABLE && state == COMPONENT_UNREADABLE))
		return;
	i->state = state;
	free(i->reason);
	i->reason = xstrdup(reason);
	if (state == COMPONENT_UNREADABLE)
		item_problem(i, EXIT_OK, "%s", reason);
}

static void
item_release(struct item *i)
{
	json_release(&i->component);
	json_release(&i->udev);
	json_release(&i->probe);
	free(i->device);
	free(i->reason);
}

static struct item *
add_item(struct enumeration *e, const struct item *model)
{
	e->items = xgrow(e->items, e->n, &e->cap, sizeof *e->items);
	e->items[e->n] = *model;
	return &e->items[e->n++];
}

/* Is it one of those that DATA may not say of itself? */
static bool
is_reserved(const char *key)
{
	static const char *const names[] = { "id", "state", "udev", "each", "probe", "properties" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], key) == 0)
			return true;
	return false;
}

/*
 * What the component says of itself, in SOURCE; all of it or nothing.  It must
 * not choose its own update, so it is another component for nobody.
 */
static void
merge(struct item *i, struct json data, const char *source)
{
	const char *id = json_get_text(data, "id");
	struct json_iter it;
	struct fail f;
	int r = 0;

	for (it = json_begin(data); r == 0 && json_next(&it); )
		if (!is_reserved(it.key))
			r = component_check_member(it.key, it.value, source, &f);
	json_end(&it);
	if (r < 0) {
		decide(i, COMPONENT_UNREADABLE, f.text);
		return;
	}
	if (id && strcmp(id, i->id) != 0)
		item_problem(i, EXIT_OK, "%s: claims to be '%.100s'; ignored", source, id);
	for (it = json_begin(data); json_next(&it); )
		if (!is_reserved(it.key) && *it.key)
			json_set(&i->component, it.key, json_copy(it.value));
}

/* The data file's path, or NULL where the entry has none; relative to the inventory. */
static char *
data_file(const struct item *i)
{
	_cleanup_json_ struct json p = json_get(i->component, "properties");
	const char *dir = json_get_text(p, "path"), *name = json_get_text(p, "firmwareDataFile");
	_cleanup_free_ char *inventory = NULL;

	if (!dir || !name)
		return NULL;
	if (*dir == '/')
		return xasprintf("%s/%s", dir, name);
	inventory = xstrdup(i->owner->paths[i->inventory]);
	return xasprintf("%s/%s/%s", dirname(inventory), dir, name);
}

static void
look_at_data_file(struct item *i)
{
	_cleanup_free_ char *path = data_file(i);
	_cleanup_json_ struct json data = JSON_ABSENT;
	struct fail f;
	int r;

	if (!path)
		return;
	r = json_load(path, FILE_NOFOLLOW, FILE_DATA_MAX, &data, &f);
	if (r == 0 && !json_is_object(data))
		r = fail_set(&f, EXIT_USAGE, "%s: is %s, not an object", path, json_kind_name(data));
	if (r == -ENOENT || r == -ENOTDIR)
		decide(i, COMPONENT_OFFLINE, f.text);
	else if (r < 0)
		decide(i, COMPONENT_UNREADABLE, f.text);
	else
		merge(i, data, path);
}

static void
look_at_devices(struct item *i)
{
	struct enumeration *e = i->owner;

	if (json_kind(i->udev) == JSON_NONE)
		return;
	if (!e->look)
		e->look = udev_look_new();
	if (udev_look_match(e->look, i->udev, NULL, NULL) == 0)
		decide(i, COMPONENT_OFFLINE, "no device matches");
}

static void
probed(enum component_state state, struct json members, const char *reason, void *cookie)
{
	struct item *i = cookie;
	struct enumeration *e = i->owner;

	if (state != COMPONENT_ONLINE)
		decide(i, state, reason);
	else if (json_is_object(members))
		merge(i, members, "what the probe printed");
	if (--e->n_probing == 0)
		loop_timer_set(e->loop, &e->end, 0);
}

/* A state of its own counts where nothing tells how the component is here. */
static void
take_own_state(struct item *i)
{
	_cleanup_free_ char *path = NULL;

	if (!json_get_text(i->component, "state") || json_kind(i->udev) != JSON_NONE ||
	    json_kind(i->probe) != JSON_NONE || i->device)
		return;
	path = data_file(i);
	if (!path)
		i->state = component_state(i->component);
}

/* The cheap looks first; what is not here need not be asked. */
static void
look_at(struct item *i)
{
	struct enumeration *e = i->owner;

	take_own_state(i);
	look_at_devices(i);
	if (i->state != COMPONENT_OFFLINE)
		look_at_data_file(i);
	if (i->state == COMPONENT_OFFLINE || json_kind(i->probe) == JSON_NONE)
		return;
	if (!e->probes)
		e->probes = probes_new(e->loop, e->spec.probe_timeout_ms);
	e->n_probing++;
	probes_add(e->probes, i->probe, probed, i);
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
	struct item i = { .owner = x->e, .id = entry->id, .inventory = x->inventory,
	    .entry = x->at, .device = xstrdup(udev_found_path(d)) };
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
		struct item *added;

		i.id = json_get_text(i.component, "id");
		added = add_item(x->e, &i);
		if (r < 0)
			decide(added, COMPONENT_UNREADABLE, f.text);
	} else {
		item_problem(&i, EXIT_NO, "left out: %s", r < 0 ? f.text : "its id would be empty");
		item_release(&i);
	}
}

/* E's entries become items; what they own is taken. */
static void
add_entries(struct enumeration *e, size_t inventory, struct inventory *inv)
{
	for (size_t k = 0; k < inv->n; k++) {
		struct inventory_entry *entry = &inv->entries[k];

		if (entry->each) {
			struct expansion x = { e, entry, inventory, k };

			if (!e->look)
				e->look = udev_look_new();
			udev_look_match(e->look, entry->udev, add_device, &x);
			continue;
		}
		add_item(e, &(struct item){ .owner = e, .component = entry->component,
		    .udev = entry->udev, .probe = entry->probe, .id = entry->id,
		    .inventory = inventory, .entry = k });
		entry->component = entry->udev = entry->probe = JSON_ABSENT;
		entry->id = NULL;
	}
}

/* By id; then those that the inventories name before those that devices do, as they stand. */
static int
compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int c = strcmp(x->id, y->id);

	if (c == 0)
		c = !!x->device - !!y->device;
	if (c == 0)
		c = x->inventory < y->inventory ? -1 : x->inventory > y->inventory;
	return c ? c : x->entry < y->entry ? -1 : x->entry > y->entry;
}

static void
sort(struct enumeration *e)
{
	for (size_t i = 1; i < e->n; i++)
		if (compare(&e->items[i - 1], &e->items[i]) > 0) {
			qsort(e->items, e->n, sizeof *e->items, compare);
			return;
		}
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
	struct item *first = NULL, *again = NULL;
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
	inventory_where(e->paths[first->inventory], first->entry, NULL, &at);
	item_problem(again, EXIT_USAGE, "the same id as %s", at.s);
	e->refused[again->inventory] = true;
	return true;
}

/* Ids that devices brought: of none of those that have the same can be said which it is. */
static void
settle_devices(struct enumeration *e)
{
	for (size_t i = 0, end; i < e->n; i = end) {
		struct item *first = &e->items[i];

		end = end_of_group(e, i);
		for (size_t k = i + 1; k < end; k++) {
			struct item *again = &e->items[k];
			_cleanup_buf_ struct buf text = BUF_INIT;

			if (!again->device)
				continue;
			buf_puts(&text, "the same id as ");
			where(first, &text);
			item_problem(again, EXIT_NO, "left out: %s", text.s);
			again->dropped = true;
			buf_reset(&text);
			buf_printf(&text, "another device has the same id: %s", again->device);
			if (first->device)
				decide(first, COMPONENT_UNREADABLE, text.s);
		}
	}
}

static void
drop_refused(struct enumeration *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		if (e->items[i].dropped || e->refused[e->items[i].inventory])
			item_release(&e->items[i]);
		else
			e->items[n++] = e->items[i];
	e->n = n;
}

static void
enumeration_free(struct enumeration *e)
{
	loop_timer_stop(e->loop, &e->end);
	probes_free(e->probes);
	udev_look_free(e->look);
	for (size_t i = 0; i < e->n; i++)
		item_release(&e->items[i]);
	free(e->items);
	xfree_strv(e->paths);
	free(e->refused);
	free(e);
}

static void
hand_over(void *cookie)
{
	struct enumeration *e = cookie;
	_cleanup_json_ struct json components = json_array();

	for (size_t i = 0; i < e->n; i++) {
		struct item *it = &e->items[i];

		component_set_state(&it->component, it->state);
		if (it->reason)
			json_set_text(&it->component, "reason", it->reason);
		json_append(&components, it->component);
		it->component = JSON_ABSENT;
	}
	e->done(components, e->worst, e->cookie);
	enumeration_free(e);
}

static void
load_all(struct enumeration *e)
{
	for (size_t i = 0; i < e->n_paths; i++) {
		struct inventory inv = INVENTORY_INIT;
		struct fail f;

		if (inventory_load(e->paths[i], e->spec.group, &inv, &f) < 0)
			problem(e, &f);
		else
			add_entries(e, i, &inv);
		inventory_release(&inv);
	}
}

struct enumeration *
enumerate_start(struct loop *l, const struct enumerate_spec *spec, enumerate_done *done,
    void *cookie)
{
	struct enumeration *e = xcalloc(1, sizeof *e);

	*e = (struct enumeration){ .loop = l, .spec = *spec, .done = done, .cookie = cookie,
	    .end = { .fn = hand_over, .cookie = e } };
	while (spec->inventories[e->n_paths])
		e->n_paths++;
	e->paths = xcalloc(e->n_paths + 1, sizeof *e->paths);
	for (size_t i = 0; i < e->n_paths; i++)
		e->paths[i] = xstrdup(spec->inventories[i]);
	e->refused = xcalloc(e->n_paths, sizeof *e->refused);
	load_all(e);
	sort(e);
	while (refuse_one(e))
		;
	drop_refused(e);
	settle_devices(e);
	drop_refused(e);
	for (size_t i = 0; i < e->n; i++)
		look_at(&e->items[i]);
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
keep(struct json components, enum exit_status worst, void *cookie)
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

	enumerate_start(w.loop, spec, keep, &w);
	loop_run(w.loop);
	loop_free(w.loop);
	return w.worst;
}
