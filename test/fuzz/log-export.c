#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "input/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
entry(const struct export_entry *e, void *cookie)
{
	struct buf *out = cookie;

	export_text(e, out);
	buf_printf(out, "%jd %jd\n", (intmax_t)export_number(e, EXPORT_SEQNUM), (intmax_t)export_time_ns(e));
	for (int i = 0; i < EXPORT_N; i++)
		assert(e->v[i].len <= (i == EXPORT_MESSAGE ? EXPORT_MESSAGE_MAX : EXPORT_VALUE_MAX));
}

/* Whatever the pieces are, the entries are the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf whole = BUF_INIT;
	_cleanup_buf_ struct buf pieces = BUF_INIT;
	struct export x;
	size_t step = size ? data[0] % 32 + 1 : 1;

	export_init(&x);
	export_put(&x, (const char *)data, size, entry, &whole);
	export_release(&x);
	export_init(&x);
	for (size_t i = 0; i < size; i += step)
		export_put(&x, (const char *)data + i, step < size - i ? step : size - i, entry, &pieces);
	export_release(&x);
	assert(whole.len == pieces.len && memcmp(whole.s, pieces.s, whole.len) == 0);
	return 0;
}
