#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "retry/frame.h"

/* Whatever the pieces are that a stream comes in, it says the same. */
static size_t
read_all(const char *p, size_t len, size_t step, uint64_t *hash)
{
	struct frame_reader r = { 0 };
	char command[FRAME_SIZE];
	size_t count = 0;

	*hash = UINT64_C(14695981039346656037);
	for (size_t at = 0; at < len; at += step) {
		const char *q = p + at;
		size_t n = len - at < step ? len - at : step;
		int e;

		while ((e = frame_next(&r, &q, &n, command)) != 0) {
			count++;
			if (e < 0)
				continue;
			assert(command[0] && strlen(command) < FRAME_SIZE);
			for (const char *c = command; *c; c++)
				*hash = (*hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
			frame_asks(command, "retry-update");
		}
		assert(n == 0 && r.len <= FRAME_SIZE);
	}
	return count * 128 + frame_drop(&r, command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	uint64_t a, b;

	assert(read_all(p, size, 1, &a) == read_all(p, size, 64, &b) && a == b);
	assert(read_all(p, size, 7, &b) == read_all(p, size, size + 1, &a) && a == b);
	return 0;
}
