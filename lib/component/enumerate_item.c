#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "component/enumerate_item.h"
#include "component/inventory.h"

void
enumerate_item_location(const struct enumerate_item *i, struct buf *out)
{
	inventory_where(i->path, i->entry, i->id, out);
	if (i->device)
		buf_printf(out, " (%s)", i->device);
}

void
enumerate_item_problem(const struct enumerate_item *i, enum exit_status status, const char *fmt, ...)
{
	_cleanup_buf_ struct buf at = BUF_INIT;
	char text[sizeof ((struct fail *)NULL)->text];
	struct fail f;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	enumerate_item_location(i, &at);
	fail_set(&f, status, "%.300s: %s", at.s, text);
	i->report->problem(&f, i->report->cookie);
}

void
enumerate_item_decide(struct enumerate_item *i, enum component_state state, const char *reason)
{
	if (i->state == COMPONENT_OFFLINE || state == COMPONENT_ONLINE ||
	    (i->state == COMPONENT_UNREADABLE && state == COMPONENT_UNREADABLE))
		return;
	i->state = state;
	free(i->reason);
	i->reason = xstrdup(reason);
	if (state == COMPONENT_UNREADABLE)
		enumerate_item_problem(i, EXIT_OK, "%s", reason);
}

void
enumerate_item_release(struct enumerate_item *i)
{
	json_release(&i->component);
	json_release(&i->udev);
	json_release(&i->probe);
	free(i->device);
	free(i->reason);
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

void
enumerate_item_merge(struct enumerate_item *i, struct json data, const char *source)
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
		enumerate_item_decide(i, COMPONENT_UNREADABLE, f.text);
		return;
	}
	if (id && strcmp(id, i->id) != 0)
		enumerate_item_problem(i, EXIT_OK, "%s: claims to be '%.100s'; ignored", source, id);
	for (it = json_begin(data); json_next(&it); )
		if (!is_reserved(it.key) && *it.key)
			json_set(&i->component, it.key, json_copy(it.value));
}

char *
enumerate_item_data_file(const struct enumerate_item *i)
{
	_cleanup_json_ struct json p = json_get(i->component, "properties");
	const char *dir = json_get_text(p, "path"), *name = json_get_text(p, "firmwareDataFile");
	const char *inventory = i->path;
	const char *slash = strrchr(inventory, '/');

	if (!dir || !name)
		return NULL;	/* a template's that could not be filled in */
	if (*dir == '/' || !slash)
		return xasprintf("%s/%s", dir, name);
	return xasprintf("%.*s/%s/%s", (int)(slash - inventory), inventory, dir, name);
}
