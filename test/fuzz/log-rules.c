#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "record/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The short way finds just what the regular expression does. */
static void
compare(struct pattern *x, const char *p, size_t n)
{
	struct span id = { NULL, 0 };
	bool by_hand, by_regex;
	const char *hint;

	if (!x || x->id < 0)
		return;
	hint = x->before ? memmem(p, n, x->before, x->before_len) : NULL;
	by_hand = (hint || !x->before) && pattern_match(x, x->regex, (struct span){ p, n }, hint, &id);
	by_regex = regex_match(x->regex, p, n);
	/* Where the regular expression gives up because it takes too long, nothing is said. */
	if (by_hand || by_regex)
		assert(by_hand == by_regex);
	if (by_hand) {
		struct span want = regex_span(x->regex, x->id, p);

		assert(want.p == id.p && want.n == id.n);
	}
}

/* Rules, an empty line, and a record. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *record = memmem(text, size, "\n\n", 2);
	size_t n = record ? (size_t)(record - text) : size;
	struct rules rs = { NULL, 0 };
	struct fail f;

	if (rules_parse(&rs, "fuzz", text, n, &f) == 0 && record) {
		_cleanup_free_ char *copy = NULL;

		n = size - n - 2;
		copy = xcalloc(n + 1, 1);
		memcpy(copy, record + 2, n);
		for (size_t i = 0; i < rs.n; i++) {
			compare(rs.v[i].send, copy, n);
			compare(rs.v[i].recv, copy, n);
		}
	}
	rules_release(&rs);
	return 0;
}
