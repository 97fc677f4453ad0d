#include <string.h>

#include "component/selector.h"

int
selector_parse(const char *text, struct json *selector, struct fail *f)
{
	struct json v = JSON_ABSENT;
	int r = json_parse("selector", text, strlen(text), &v, f);

	if (r < 0)
		return r;
	if (!json_is_object(v)) {
		r = fail_set(f, EXIT_USAGE, "selector: is %s, not an object", json_kind_name(v));
		json_release(&v);
		return r;
	}
	*selector = v;
	return 0;
}

static bool
member_matches(const struct json_iter *it, struct json component)
{
	struct json member;
	bool yes;

	if (json_string_len(it->value) == 0 || !*it->key)
		return false;
	member = json_get(component, it->key);
	yes = json_kind(member) == JSON_STRING && json_equal(member, it->value);
	json_release(&member);
	return yes;
}

bool
selector_matches(struct json selector, struct json component)
{
	struct json_iter it = json_begin(selector);

	while (json_next(&it))
		if (!member_matches(&it, component)) {
			json_end(&it);
			return false;
		}
	return true;
}

bool
selector_matches_any(struct json alternatives, struct json component)
{
	bool yes = false;

	for (size_t i = 0; !yes && i < json_count(alternatives); i++) {
		struct json s = json_at(alternatives, i);

		yes = json_is_object(s) && selector_matches(s, component);
		json_release(&s);
	}
	return yes;
}
