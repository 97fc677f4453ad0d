#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/inventory.h"
#include "component/udev.h"

void
inventory_where(const char *path, size_t i, const char *id, struct buf *out)
{
	buf_printf(out, "%s: components[%zu]", path, i);
	if (id)
		buf_printf(out, " ('%.100s')", id);
}

/* Members of "properties" that name the data file must be strings that can be paths. */
static int
check_properties(struct json properties, const char *where, struct fail *f)
{
	static const char *const keys[] = { "path", "firmwareDataFile" };

	for (size_t i = 0; i < 2; i++) {
		struct json v = json_get(properties, keys[i]);
		const char *text = json_get_string(v);
		int r = 0;

		if (json_kind(v) != JSON_NONE && !text)
			r = fail_set(f, EXIT_USAGE, "%s: properties.%s is %s, not a string",
			    where, keys[i], json_kind_name(v));
		else if (text && (!*text || strlen(text) != json_string_len(v)))
			r = fail_set(f, EXIT_USAGE, "%s: properties.%s %s", where, keys[i],
			    *text ? "has a NUL character" : "is empty");
		json_release(&v);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
check_probe(struct json probe, const char *where, struct fail *f)
{
	if (json_kind(probe) != JSON_ARRAY)
		return fail_set(f, EXIT_USAGE, "%s: probe is %s, not an array", where,
		    json_kind_name(probe));
	if (json_count(probe) == 0)
		return fail_set(f, EXIT_USAGE, "%s: probe is empty", where);
	for (size_t i = 0; i < json_count(probe); i++) {
		struct json v = json_at(probe, i);
		const char *text = json_get_string(v);
		int r = 0;

		if (!text)
			r = fail_set(f, EXIT_USAGE, "%s: probe[%zu] is %s, not a string", where, i,
			    json_kind_name(v));
		else if (strlen(text) != json_string_len(v))
			r = fail_set(f, EXIT_USAGE, "%s: probe[%zu] has a NUL character", where, i);
		else if (i == 0 && !*text)
			r = fail_set(f, EXIT_USAGE, "%s: probe[0] is empty", where);
		json_release(&v);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One member of E's component; what is ours is noted, and must be right. */
static int
read_member(const struct json_iter *it, struct inventory_entry *e, const char *where, struct fail *f)
{
	const char *key = it->key;
	int r;

	switch (key[0]) {
	case 'u':
		if (strcmp(key, "udev") != 0)
			return 0;
		e->udev = json_copy(it->value);
		return udev_check_match(it->value, where, f);
	case 'e':
		if (strcmp(key, "each") != 0)
			return 0;
		e->each = json_kind(it->value) == JSON_TRUE;
		return e->each || json_kind(it->value) == JSON_FALSE ? 0 : fail_set(f, EXIT_USAGE,
		    "%s: each is %s, not true or false", where, json_kind_name(it->value));
	case 'p':
		if (strcmp(key, "probe") == 0) {
			e->probe = json_copy(it->value);
			return check_probe(it->value, where, f);
		}
		if (strcmp(key, "properties") != 0)
			return 0;
		r = component_check_member(key, it->value, where, f);
		return r < 0 ? r : check_properties(it->value, where, f);
	default:
		r = component_check_member(key, it->value, where, f);
		if (r == 0 && strcmp(key, "id") == 0)
			e->id = json_get_string(it->value);
		return r;
	}
}

/* E's component, taken apart; WHERE is only wanted once something is wrong. */
static int
read_entry(struct inventory_entry *e, const char *where, struct fail *f)
{
	struct json_iter it;
	bool has_ours = false;
	int r = 0;

	if (!json_is_object(e->component))
		return fail_set(f, EXIT_USAGE, "%s: is %s, not an object", where,
		    json_kind_name(e->component));
	for (it = json_begin(e->component); r == 0 && json_next(&it); ) {
		r = read_member(&it, e, where, f);
		has_ours |= strcmp(it.key, "udev") == 0 || strcmp(it.key, "each") == 0 ||
		    strcmp(it.key, "probe") == 0;
	}
	json_end(&it);
	if (r < 0)
		return r;
	if (!e->id)
		return fail_set(f, EXIT_USAGE, "%s: has no id", where);
	if (e->each && json_kind(e->udev) == JSON_NONE)
		return fail_set(f, EXIT_USAGE, "%s: each without udev", where);
	if (has_ours) {
		json_remove(&e->component, "udev");
		json_remove(&e->component, "each");
		json_remove(&e->component, "probe");
	}
	return 0;
}

static void
entry_release(struct inventory_entry *e)
{
	json_release(&e->component);
	json_release(&e->udev);
	json_release(&e->probe);
	*e = (struct inventory_entry){ .id = NULL };
}

/* Once more, for the message: to build it for each entry would cost more than the rest. */
static int
complain(const char *path, size_t i, struct json component, struct fail *f)
{
	_cleanup_buf_ struct buf where = BUF_INIT;
	struct inventory_entry e = { .component = json_copy(component) };
	int r;

	inventory_where(path, i, json_get_text(component, "id"), &where);
	r = read_entry(&e, where.s, f);
	entry_release(&e);
	return r;
}

static int
read_entries(struct json *list, struct inventory *inv, bool *has_probe, struct fail *f)
{
	size_t n = json_count(*list);

	inv->entries = xcalloc(n, sizeof *inv->entries);
	for (size_t i = 0; i < n; i++) {
		struct inventory_entry *e = &inv->entries[inv->n++];

		e->component = json_take_at(list, i);
		if (read_entry(e, "", f) < 0)
			return complain(inv->path, i, e->component, f);
		*has_probe |= json_kind(e->probe) != JSON_NONE;
	}
	return 0;
}

int
inventory_parse(const char *path, const char *text, size_t len, struct inventory *out,
    bool *has_probe, struct fail *f)
{
	struct inventory inv = { .path = xstrdup(path) };
	_cleanup_json_ struct json root = JSON_ABSENT, list = JSON_ABSENT;
	int r = json_parse(path, text, len, &root, f);

	*has_probe = false;
	if (r == 0 && !json_is_object(root))
		r = fail_set(f, EXIT_USAGE, "%s: is %s, not an object with components", path,
		    json_kind_name(root));
	if (r == 0) {
		list = json_get(root, "components");
		json_release(&root);	/* so that the list is ours alone, and need not be copied */
		r = json_kind(list) == JSON_ARRAY ? read_entries(&list, &inv, has_probe, f)
		    : fail_set(f, EXIT_USAGE, "%s: components is %s, not an array", path,
		    json_kind_name(list));
	}
	if (r < 0) {
		inventory_release(&inv);
		return r;
	}
	*out = inv;
	return 0;
}

/*
 * The trusted way first, so that what is trusted is what was read; a file that
 * is not trusted is good enough without probes.
 */
int
inventory_load(const char *path, gid_t group, struct inventory *out, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct fail denied = { EXIT_OK, "" };
	bool has_probe;
	int r = file_load_trusted(path, group, INVENTORY_MAX, &text, f);

	if (r < 0 && f->status == EXIT_DENIED) {
		denied = *f;
		r = file_load(path, 0, INVENTORY_MAX, &text, f);
	}
	if (r == 0)
		r = inventory_parse(path, text.s, text.len, out, &has_probe, f);
	if (r == 0 && has_probe && denied.status != EXIT_OK) {
		size_t i = 0;
		_cleanup_buf_ struct buf where = BUF_INIT;

		while (json_kind(out->entries[i].probe) == JSON_NONE)
			i++;
		inventory_where(path, i, out->entries[i].id, &where);
		inventory_release(out);
		return fail_set(f, EXIT_DENIED, "%s: has a probe, but the inventory is not trusted: %s",
		    where.s, denied.text);
	}
	return r;
}

void
inventory_release(struct inventory *inv)
{
	for (size_t i = 0; i < inv->n; i++)
		entry_release(&inv->entries[i]);
	free(inv->entries);
	free(inv->path);
	*inv = (struct inventory)INVENTORY_INIT;
}
