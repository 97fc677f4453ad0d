#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/template.h"

/* C0, DEL and, in UTF-8, C1. */
static bool
has_control(const char *s)
{
	for (; *s; s++)
		if (utf8_control(s))
			return true;
	return false;
}

/* What is wrong with a device's VALUE where it is put at the AT-th byte; NULL for nothing. */
static const char *
value_objection(const char *value, enum template_use use, size_t at)
{
	if (!value)
		return "the device has none";
	if (utf8_check(value, strlen(value)) < strlen(value))
		return "is not UTF-8";
	if (has_control(value))
		return "has a control character";
	if (use == TEMPLATE_PATH && (strchr(value, '/') || *value == '.'))
		return "would lead elsewhere";
	if (use == TEMPLATE_ARGUMENT && at == 0 && *value == '-')
		return "would be taken for an option";
	return NULL;
}

int
template_expand(const char *text, enum template_use use, template_get *get, void *cookie,
    struct buf *out, struct fail *f)
{
	const size_t begin = out->len;

	for (const char *p = text; *p; ) {
		const char *end = strncmp(p, "${", 2) == 0 ? strchr(p, '}') : NULL;

		if (end) {
			_cleanup_free_ char *name = xstrndup(p + 2, (size_t)(end - p) - 2);
			const char *value = get(name, cookie);
			const char *bad = value_objection(value, use, out->len - begin);

			if (bad)
				return fail_set(f, EXIT_USAGE, "${%.60s}: %s", name, bad);
			buf_puts(out, value);
			p = end + 1;
		} else {
			p += strncmp(p, "$${", 3) == 0;
			do
				buf_putc(out, *p++);
			while (*p && *p != '$');
		}
		if (out->len - begin > COMPONENT_TEXT_MAX)
			return fail_set(f, EXIT_USAGE, "'%.60s': becomes longer than %d bytes",
			    text, COMPONENT_TEXT_MAX);
	}
	return 0;
}

struct filling {
	template_get *get;
	void *cookie;
	struct fail *fail;
	int r;			/* the first error */
};

static struct json value_fill(struct json v, enum template_use use, struct filling *t);

static struct json
fill_string(struct json v, enum template_use use, struct filling *t)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail ignored;
	int r;

	if (!strchr(json_get_string(v), '$'))
		return json_copy(v);
	r = template_expand(json_get_string(v), use, t->get, t->cookie, &b,
	    t->r < 0 ? &ignored : t->fail);
	if (r < 0 && t->r == 0)
		t->r = r;
	return r < 0 ? JSON_ABSENT : json_string_n(b.s, b.len);
}

static enum template_use
use_of(const char *key, enum template_use use)
{
	if (strcmp(key, "path") == 0 || strcmp(key, "firmwareDataFile") == 0)
		return TEMPLATE_PATH;
	return strcmp(key, "probe") == 0 ? TEMPLATE_ARGUMENT : use;
}

static struct json
fill_object(struct json v, enum template_use use, struct filling *t)
{
	struct json out = json_object();

	for (struct json_iter it = json_begin(v); json_next(&it); ) {
		struct json value = value_fill(it.value, use_of(it.key, use), t);

		if (json_kind(value) != JSON_NONE)
			json_set(&out, it.key, value);
	}
	return out;
}

/* An argument vector with a hole in it is none. */
static struct json
fill_array(struct json v, enum template_use use, struct filling *t)
{
	struct json out = json_array();

	for (size_t i = 0; i < json_count(v); i++) {
		struct json element = json_at(v, i), value = value_fill(element, use, t);

		json_release(&element);
		if (json_kind(value) == JSON_NONE) {
			json_release(&out);
			return JSON_ABSENT;
		}
		json_append(&out, value);
	}
	return out;
}

static struct json
value_fill(struct json v, enum template_use use, struct filling *t)
{
	switch (json_kind(v)) {
	case JSON_STRING:
		return fill_string(v, use, t);
	case JSON_ARRAY:
		return fill_array(v, use, t);
	case JSON_OBJECT:
		return fill_object(v, use, t);
	default:
		return json_copy(v);
	}
}

int
template_fill(struct json entry, template_get *get, void *cookie, struct json *out, struct fail *f)
{
	struct filling t = { .get = get, .cookie = cookie, .fail = f };

	*out = value_fill(entry, TEMPLATE_TEXT, &t);
	return t.r;
}
