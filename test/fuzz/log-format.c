#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "record/detect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A format, an empty line, and a log: the parts of a record lie within it, and
 * the format is told from the sample or not.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *log = memmem(text, size, "\n\n", 2);
	size_t n = log ? (size_t)(log - text) : size;
	struct format fmt;
	struct formats fs = { &fmt, 1 };
	struct detected found;
	struct fields fields;
	struct fail f;

	if (format_parse("fuzz", "fuzz", text, n, &fmt, &f) < 0) {
		assert(f.status == EXIT_USAGE);
		return 0;
	}
	if (log) {
		_cleanup_free_ char *copy = NULL;

		n = size - n - 2;
		copy = xcalloc(n + 1, 1);
		memcpy(copy, log + 2, n);
		detect_format(&fs, copy, n, &found);
		assert(found.fmt && found.fits <= 50 * found.tried);
		if (format_fields(&fmt, copy, n, &fields))
			for (int i = 0; i < FIELD_N; i++)
				assert(!fields.v[i].p || (fields.v[i].p >= copy && fields.v[i].p + fields.v[i].n <= copy + n));
		format_level(fields.v[FIELD_LEVEL]);
	}
	format_release(&fmt);
	return 0;
}
