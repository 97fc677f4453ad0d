#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/jsontext.h"
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

const char *
inventory_id(const struct inventory *inv, size_t i)
{
	return inv->ids.s + inv->entries[i].id;
}

/* What an entry's members were found to be. */
struct reading {
	struct inventory_entry *entry;
	const char *id;		/* borrowed from the component */
	bool has_ours;
};

static int
char_lower(char c)
{
	return tolower((unsigned char)c);
}

/*
 * Is KEY what a slip of the finger makes of NAME: another case, or behind the first
 * letter one letter missing, added, wrong or swapped with its neighbour?
 */
static bool
is_slip(const char *key, const char *name)
{
	if (char_lower(*key) != char_lower(*name) || strcmp(key, name) == 0)
		return false;
	while (*key && char_lower(*key) == char_lower(*name)) {
		key++;
		name++;
	}
	return strcasecmp(key, name) == 0 || (*key && strcasecmp(key + 1, name) == 0) ||
	    (*name && strcasecmp(key, name + 1) == 0) || (*key && *name && (strcasecmp(key + 1, name + 1) == 0 ||
	    (char_lower(key[0]) == char_lower(name[1]) && char_lower(key[1]) == char_lower(name[0]) && key[1] &&
	    strcasecmp(key + 2, name + 2) == 0)));
}

/* The member of an entry that KEY is a slip of; NULL for none. */
static const char *
slip_of_entry(const char *key)
{
	static const char *const names[] = { "udev", "each", "probe", "properties" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (is_slip(key, names[i]))
			return names[i];
	return NULL;
}

/* The same for a member of "properties"; "patch" is a word of its own. */
static const char *
slip_of_property(const char *key)
{
	if (is_slip(key, "firmwareDataFile"))
		return "firmwareDataFile";
	return strcasecmp(key, "path") == 0 && strcmp(key, "path") != 0 ? "path" : NULL;
}

static void
set_doubt(struct inventory_entry *e, const char *prefix, const char *key, const char *name)
{
	if (!e->doubt)
		e->doubt = xasprintf("'%s%.100s' is not a known key (did you mean '%s%s'?), so its presence is unknown",
		    prefix, key, prefix, name);
}

static bool
is_path(const char *key)
{
	return strcmp(key, "path") == 0 || strcmp(key, "firmwareDataFile") == 0;
}

/* "path" and "firmwareDataFile" must be strings that can be paths. */
static int
read_properties(struct json properties, struct reading *r, const char *where, struct fail *f)
{
	struct json_iter it;
	const char *only = NULL;
	int n = 0, err = 0;

	for (it = json_begin(properties); err == 0 && json_next(&it); ) {
		const char *text = json_get_string(it.value), *slip = slip_of_property(it.key);

		if (slip)
			set_doubt(r->entry, "properties.", it.key, slip);
		if (!is_path(it.key))
			continue;
		n++;
		only = it.key;
		if (!text)
			err = fail_set(f, EXIT_USAGE, "%s: properties.%s is %s, not a string",
			    where, it.key, json_kind_name(it.value));
		else if (!*text || strlen(text) != json_string_len(it.value))
			err = fail_set(f, EXIT_USAGE, "%s: properties.%s %s", where, it.key,
			    *text ? "has a NUL character" : "is empty");
	}
	if (n == 1 && err == 0 && !r->entry->doubt)
		r->entry->doubt = xasprintf("properties.%s without %s, so its presence is unknown",
		    strcmp(only, "path") == 0 ? "path" : "firmwareDataFile",
		    strcmp(only, "path") == 0 ? "firmwareDataFile" : "path");
	json_end(&it);
	r->entry->has_data_file = n == 2;
	return err;
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

static bool
is_ours(const char *key)
{
	return strcmp(key, "udev") == 0 || strcmp(key, "each") == 0 || strcmp(key, "probe") == 0;
}

/* One member that says how the component is here. */
static int
read_ours(const struct json_iter *it, struct inventory_entry *e, const char *where, struct fail *f)
{
	if (it->key[0] == 'u') {
		e->udev = json_copy(it->value);
		return udev_check_match(it->value, where, f);
	}
	if (it->key[0] == 'p') {
		e->probe = json_copy(it->value);
		return check_probe(it->value, where, f);
	}
	e->each = json_kind(it->value) == JSON_TRUE;
	return e->each || json_kind(it->value) == JSON_FALSE ? 0 : fail_set(f, EXIT_USAGE,
	    "%s: each is %s, not true or false", where, json_kind_name(it->value));
}

static int
read_member(const struct json_iter *it, struct reading *r, const char *where, struct fail *f)
{
	const char *slip = slip_of_entry(it->key);
	int err;

	if (slip)
		set_doubt(r->entry, "", it->key, slip);
	if (is_ours(it->key)) {
		r->has_ours = true;
		return read_ours(it, r->entry, where, f);
	}
	err = component_check_member(it->key, it->value, where, f);
	if (err < 0)
		return err;
	if (strcmp(it->key, "id") == 0)
		r->id = json_get_string(it->value);
	else if (strcmp(it->key, "properties") == 0)
		return read_properties(it->value, r, where, f);
	return 0;
}

/* WHERE is for messages. */
static int
read_entry(struct json component, struct reading *r, const char *where, struct fail *f)
{
	struct json_iter it;
	int err = 0;

	if (!json_is_object(component))
		return fail_set(f, EXIT_USAGE, "%s: is %s, not an object", where,
		    json_kind_name(component));
	for (it = json_begin(component); err == 0 && json_next(&it); )
		err = read_member(&it, r, where, f);
	json_end(&it);
	if (err < 0)
		return err;
	if (!r->id)
		return fail_set(f, EXIT_USAGE, "%s: has no id", where);
	if (r->entry->each && json_kind(r->entry->udev) == JSON_NONE)
		return fail_set(f, EXIT_USAGE, "%s: each without udev", where);
	return 0;
}

static void
entry_release(struct inventory_entry *e)
{
	json_release(&e->component);
	json_release(&e->udev);
	json_release(&e->probe);
	free(e->doubt);
	e->doubt = NULL;
}

/*
 * Fill F with what is wrong in COMPONENT, and where.  It is read a second time for this, as to
 * format the place of each entry beforehand would cost more than to read them all.
 */
static int
explain_entry(const struct inventory *inv, struct json component, struct fail *f)
{
	_cleanup_buf_ struct buf where = BUF_INIT;
	struct inventory_entry e = { .id = 0 };
	struct reading r = { .entry = &e };
	int err;

	inventory_where(inv->path, inv->n - 1, json_get_text(component, "id"), &where);
	err = read_entry(component, &r, where.s, f);
	entry_release(&e);
	return err;
}

static struct inventory_entry *
new_entry(struct inventory *inv)
{
	inv->entries = xgrow(inv->entries, inv->n, &inv->cap, sizeof *inv->entries);
	inv->entries[inv->n] = (struct inventory_entry){ .id = 0 };
	return &inv->entries[inv->n++];
}

static void
keep_id(struct inventory *inv, struct inventory_entry *e, const char *id, size_t len)
{
	e->id = inv->ids.len;
	buf_add(&inv->ids, id, len);
	buf_add(&inv->ids, "", 1);
}

/* COMPONENT, which is taken, becomes an entry. */
static int
add_entry(struct inventory *inv, struct json component, struct fail *f)
{
	struct inventory_entry *e = new_entry(inv);
	struct reading r = { .entry = e };

	e->component = component;
	if (read_entry(component, &r, "", f) < 0)
		return explain_entry(inv, component, f);
	keep_id(inv, e, r.id, strlen(r.id));
	if (r.has_ours) {
		json_remove(&e->component, "udev");
		json_remove(&e->component, "each");
		json_remove(&e->component, "probe");
	}
	return 0;
}

/* Does the member M of a plain entry need a closer look?  NAME is its key as a string. */
static bool
is_plain_member(const struct jsontext_member *m, const char *name)
{
	enum { PROPERTIES_MAX = 16 };
	struct jsontext_member p[PROPERTIES_MAX];
	int n;

	if (is_ours(name) || strcmp(name, "state") == 0 || slip_of_entry(name))
		return false;
	if (component_is_text_member(name))
		return *m->value == '"' && m->value_len <= COMPONENT_TEXT_MAX + 2 &&
		    !memchr(m->value, '\\', m->value_len);
	if (strcmp(name, "properties") != 0)
		return true;
	n = *m->value == '{' ? jsontext_members(m->value, m->value_len, p, PROPERTIES_MAX) : -1;
	for (int i = 0; i < n; i++)
		if ((p[i].key_len == 4 && strncasecmp(p[i].key, "path", 4) == 0) ||
		    (p[i].key_len >= 15 && p[i].key_len <= 17))
			return false;	/* "firmwareDataFile" has 16, a slip of it one more or less */
	return n >= 0;
}

/*
 * The fast path, for the compact TEXT of an entry in INV->TEXT.  False if the entry
 * is not plain, or if its text has escapes.
 */
static bool
add_plain_entry(struct inventory *inv, const char *text, size_t len)
{
	enum { MEMBERS_MAX = 32, KEY_MAX = 17 };
	struct jsontext_member m[MEMBERS_MAX], *id = NULL;
	int n = *text == '{' ? jsontext_members(text, len, m, MEMBERS_MAX) : -1;
	struct inventory_entry *e;

	for (int i = 0; i < n; i++) {
		char name[KEY_MAX] = "";	/* no name that matters is longer */

		if (m[i].key_len < sizeof name)
			memcpy(name, m[i].key, m[i].key_len);
		if (!is_plain_member(&m[i], name))
			return false;
		if (strcmp(name, "id") == 0)
			id = &m[i];
	}
	if (!id || id->value_len == 2)
		return false;
	e = new_entry(inv);
	e->text = (size_t)(text - inv->text.s);
	e->text_len = len;
	keep_id(inv, e, id->value + 1, id->value_len - 2);
	return true;
}

static int
check_count(const struct inventory *inv, size_t n, struct fail *f)
{
	return n <= INVENTORY_ENTRIES_MAX ? 0 : fail_set(f, EXIT_USAGE,
	    "%s: %zu components are too many, at most %d", inv->path, n, INVENTORY_ENTRIES_MAX);
}

static int
read_elements(struct inventory *inv, const struct jsontext_split *s, struct fail *f)
{
	int err = check_count(inv, s->n, f);

	for (size_t i = 0; err == 0 && i < s->n; i++) {
		struct json component = JSON_ABSENT;
		size_t len;
		const char *text = jsontext_element(s, i, &len);

		if (add_plain_entry(inv, text, len))
			continue;
		err = json_parse(inv->path, text, len, &component, f);
		if (err == 0)
			err = add_entry(inv, component, f);
	}
	return err;
}

/* The text as a whole, where it cannot be split: "components" is missing, or there twice. */
static int
read_whole(struct inventory *inv, const char *text, size_t len, struct fail *f)
{
	_cleanup_json_ struct json root = JSON_ABSENT, list = JSON_ABSENT;
	int err = json_parse(inv->path, text, len, &root, f);
	size_t n;

	if (err < 0)
		return err;
	if (!json_is_object(root))
		return fail_set(f, EXIT_USAGE, "%s: is %s, not an object with components",
		    inv->path, json_kind_name(root));
	list = json_get(root, "components");
	json_release(&root);	/* so that the list is ours alone, and need not be copied */
	if (json_kind(list) != JSON_ARRAY)
		return fail_set(f, EXIT_USAGE, "%s: components is %s, not an array", inv->path,
		    json_kind_name(list));
	n = json_count(list);
	err = check_count(inv, n, f);
	for (size_t i = 0; err == 0 && i < n; i++)
		err = add_entry(inv, json_take_at(&list, i), f);
	return err;
}

int
inventory_parse(const char *path, const char *text, size_t len, struct inventory *out,
    bool *has_probe, struct fail *f)
{
	struct inventory inv = INVENTORY_INIT;
	struct jsontext_split split = JSONTEXT_SPLIT_INIT;
	int r = len > INVENTORY_MAX ? fail_set(f, EXIT_USAGE, "%s: too long", path)
	    : jsontext_compact(path, text, len, &inv.text, f);

	inv.path = xstrdup(path);
	if (r == 0 && jsontext_split(inv.text.s, inv.text.len, "components", &split))
		r = read_elements(&inv, &split, f);
	else if (r == 0)
		r = read_whole(&inv, inv.text.s, inv.text.len, f);
	jsontext_split_release(&split);
	if (r < 0) {
		inventory_release(&inv);
		return r;
	}
	*has_probe = false;
	for (size_t i = 0; i < inv.n; i++)
		*has_probe |= json_kind(inv.entries[i].probe) != JSON_NONE;
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
	struct fail denied = { .status = EXIT_OK };
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
		inventory_where(path, i, inventory_id(out, i), &where);
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
	buf_release(&inv->text);
	buf_release(&inv->ids);
	*inv = (struct inventory)INVENTORY_INIT;
}
