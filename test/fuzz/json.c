/* JSON text: both readers agree, what is written comes back, and what is split is the same value. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jsontext.h"

/* The elements of TEXT's member "l" are those of its value V. */
static void
split(const char *text, size_t len, struct json v)
{
	struct jsontext_split s = JSONTEXT_SPLIT_INIT;
	struct json list = json_get(v, "l");

	if (jsontext_split(text, len, "l", &s)) {
		assert(json_kind(list) == JSON_ARRAY && json_count(list) == s.n);
		for (size_t i = 0; i < s.n; i++) {
			struct json element = json_at(list, i), again = JSON_ABSENT;
			struct fail f;
			size_t n;
			const char *p = jsontext_element(&s, i, &n);

			assert(json_parse(NULL, p, n, &again, &f) == 0 && json_equal(element, again));
			json_release(&element);
			json_release(&again);
		}
	}
	jsontext_split_release(&s);
	json_release(&list);
}

static void
members(const char *text, size_t len, struct json v)
{
	struct jsontext_member m[32];
	int n = json_is_object(v) ? jsontext_members(text, len, m, 32) : -1;

	assert(n < 0 || (size_t)n == json_count(v));
	for (int i = 0; i < n; i++) {
		char key[4096] = "";
		struct json value, again = JSON_ABSENT;
		struct fail f;

		if (m[i].key_len >= sizeof key)
			continue;
		memcpy(key, m[i].key, m[i].key_len);
		value = json_get(v, key);
		assert(json_parse(NULL, m[i].value, m[i].value_len, &again, &f) == 0 && json_equal(value, again));
		json_release(&value);
		json_release(&again);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	struct json v = JSON_ABSENT, again = JSON_ABSENT;
	struct buf out = BUF_INIT, compact = BUF_INIT;
	struct fail f, g;
	int r, q;

	if (size)
		memcpy(text, data, size);
	r = json_parse(NULL, text, size, &v, &f);
	q = jsontext_compact(NULL, text, size, &compact, &g);
	assert(r == q);
	if (r == 0) {
		json_format(v, &out);
		assert(json_parse(NULL, out.s, out.len, &again, &f) == 0 && json_equal(v, again));
		json_release(&again);
		assert(json_parse(NULL, compact.s, compact.len, &again, &f) == 0 && json_equal(v, again));
		split(compact.s, compact.len, v);
		members(compact.s, compact.len, v);
	} else {
		assert(strcmp(f.text, g.text) == 0 && compact.len == 0);
	}
	json_release(&v);
	json_release(&again);
	buf_release(&out);
	buf_release(&compact);
	free(text);
	return 0;
}
