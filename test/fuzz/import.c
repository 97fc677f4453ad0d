#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "deploy/goal.h"
#include "deploy/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct input {
	const char *text;
	size_t len;
};

/* What it refers to is the second half of the input. */
static int
beside_load(const char *name, struct buf *text, struct fail *f, void *cookie)
{
	const struct input *in = cookie;

	if (*name == 'x')
		return fail_errno(f, EIO, "%s", name);
	buf_reset(text);
	buf_add(text, in->text, in->len);
	return 0;
}

/* Two import manifests with a NUL between; what is accepted names a place for each of its files. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data;
	const size_t first = strnlen(text, n), rest = first < n ? first + 1 : n;
	struct input in = { text + rest, n - rest };
	const struct import_place place = { beside_load, &in, "file:/a/", "" };
	_cleanup_json_ struct json v = JSON_ABSENT;
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct goal *g = NULL;
	struct fail f;

	if (json_parse("i", text, first, &v, &f) < 0)
		return 0;
	(void)import_is_manifest(v);
	(void)import_check_deployable("i", v, &f);
	if (import_goal("i", v, &place, &out, &f) < 0 || goal_parse("g", out.s, out.len, &g, &f) < 0)
		return 0;
	for (size_t i = 0; i < g->manifest->n_files; i++) {
		_cleanup_free_ char *path = g->manifest->files[i].url ? payload_url_path(g->manifest->files[i].url) : NULL;

		if (!path)
			__builtin_trap();
	}
	goal_free(g);
	return 0;
}
