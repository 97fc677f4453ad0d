#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "module/sdk.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
check_text(const uint8_t *p, size_t n, struct sdk_text t)
{
	if (t.s)
		assert((const uint8_t *)t.s >= p && (size_t)((const uint8_t *)t.s - p) + t.n <= n);
}

/* Whatever an instance writes: what is found in it is inside of it. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sdk_request r;

	if (sdk_request_parse(p, n, &r) == 0) {
		check_text(p, n, r.topic);
		check_text(p, n, r.blob);
		check_text(p, n, r.response);
		check_text(p, n, r.url);
		check_text(p, n, r.storage);
		check_text(p, n, r.filename);
		for (uint32_t i = 0; i < r.n_entries && r.entries; i++) {
			check_text(p, n, r.entries[i].key);
			check_text(p, n, r.entries[i].value);
		}
		for (uint32_t i = 0; i < r.n_headers && r.headers; i++)
			check_text(p, n, r.headers[i]);
	}
	sdk_request_release(&r);
	return 0;
}
