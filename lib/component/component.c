#include <string.h>

#include "component/component.h"

static const char *const states[] = {
	[COMPONENT_ONLINE] = "online", [COMPONENT_OFFLINE] = "offline",
	[COMPONENT_UNREADABLE] = "unreadable",
};

const char *
component_id(struct json c)
{
	return json_get_text(c, "id");
}

static int
find_state(const char *name)
{
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(states[i], name) == 0)
			return (int)i;
	return -1;
}

enum component_state
component_state(struct json c)
{
	const char *name = json_get_text(c, "state");
	int s = name ? find_state(name) : COMPONENT_ONLINE;

	return s < 0 ? COMPONENT_UNREADABLE : (enum component_state)s;
}

const char *
component_state_name(enum component_state s)
{
	return states[s];
}

void
component_set_state(struct json *c, enum component_state s)
{
	json_set_text(c, "state", states[s]);
}

bool
component_is_text_member(const char *key)
{
	/* by the first letter, since this is asked of every member of every component */
	switch (key[0]) {
	case 'g':
		return strcmp(key, "group") == 0;
	case 'i':
		return strcmp(key, "id") == 0;
	case 'm':
		return strcmp(key, "manufacturer") == 0 || strcmp(key, "model") == 0;
	case 'n':
		return strcmp(key, "name") == 0;
	case 's':
		return strcmp(key, "state") == 0;
	case 'v':
		return strcmp(key, "version") == 0;
	default:
		return false;
	}
}

static int
check_text(const char *key, struct json value, const char *where, struct fail *f)
{
	const char *text = json_get_string(value);
	size_t len = json_string_len(value);

	if (!text)
		return fail_set(f, EXIT_USAGE, "%s: %s is %s, not a string", where, key,
		    json_kind_name(value));
	if (len > COMPONENT_TEXT_MAX)
		return fail_set(f, EXIT_USAGE, "%s: %s is %zu bytes long, at most %d are allowed",
		    where, key, len, COMPONENT_TEXT_MAX);
	if (strlen(text) != len)
		return fail_set(f, EXIT_USAGE, "%s: %s has a NUL character", where, key);
	if (strcmp(key, "id") == 0 && len == 0)
		return fail_set(f, EXIT_USAGE, "%s: id is empty", where);
	if (strcmp(key, "state") == 0 && find_state(text) < 0)
		return fail_set(f, EXIT_USAGE,
		    "%s: state is '%.40s', not online, offline or unreadable", where, text);
	return 0;
}

int
component_check_member(const char *key, struct json value, const char *where, struct fail *f)
{
	if (component_is_text_member(key))
		return check_text(key, value, where, f);
	if (strcmp(key, "properties") == 0 && !json_is_object(value))
		return fail_set(f, EXIT_USAGE, "%s: properties is %s, not an object", where,
		    json_kind_name(value));
	return 0;
}

int
component_check(struct json c, const char *where, struct fail *f)
{
	struct json_iter it = json_begin(c);
	bool has_id = false;

	if (!json_is_object(c)) {
		json_end(&it);
		return fail_set(f, EXIT_USAGE, "%s: is %s, not an object", where,
		    json_kind_name(c));
	}
	while (json_next(&it)) {
		int r = component_check_member(it.key, it.value, where, f);

		if (r < 0) {
			json_end(&it);
			return r;
		}
		has_id |= strcmp(it.key, "id") == 0;
	}
	return has_id ? 0 : fail_set(f, EXIT_USAGE, "%s: has no id", where);
}
