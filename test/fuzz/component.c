#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "component/component.h"
#include "component/listing.h"
#include "component/selector.h"

static const struct listing_column columns[] = {
	{ "ID", "id" }, { "NAME", "name|id" }, { "PROPERTIES", "properties" }, { NULL, NULL }
};

/* A record in each format: no control character gets into what is read by lines. */
static void
list(struct json v)
{
	const struct listing_spec spec = { "components", columns, columns };

	for (int i = 0; i < LISTING_N_FORMATS; i++) {
		struct buf out = BUF_INIT;
		struct listing *l = listing_new((enum listing_format)i, &spec, &out);

		listing_add(l, v);
		listing_end(l);
		for (const char *p = out.s; i != LISTING_JSON && i != LISTING_ADU && *p; p++)
			assert((unsigned char)*p >= 0x20 || *p == '\n' ||
			    (*p == '\t' && i == LISTING_TSV));
		if (i == LISTING_TSV || i == LISTING_JSONL)
			assert(strchr(out.s, '\n') == out.s + out.len - 1);
		listing_free(l);
		buf_release(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	struct json v = JSON_ABSENT, empty = json_object();
	struct fail f;

	if (size)
		memcpy(text, data, size);
	if (json_parse(NULL, text, size, &v, &f) == 0 && component_check(v, "fuzz", &f) == 0) {
		assert(*component_id(v));
		assert(component_state(v) <= COMPONENT_UNREADABLE);
		assert(selector_matches(empty, v));
		selector_matches(v, v);
		list(v);
	}
	json_release(&v);
	json_release(&empty);
	free(text);
	return 0;
}
