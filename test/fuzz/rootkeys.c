#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/rootkeys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct buf trusted = BUF_INIT;

/* A file of the source tree, which this one is in. */
static void
prepare(void)
{
	_cleanup_free_ char *path = xasprintf("%.*s%s", (int)(sizeof __FILE__ - sizeof "test/fuzz/rootkeys.c"), __FILE__,
	    "packaging/examples/rootkeys-azure.json");
	struct fail f;

	if (file_load(path, 0, 1 << 20, &trusted, &f) < 0)
		fail_die(&f);
}

/* A file of root keys, as the second one beside keys that are trusted: those stay, whatever it holds. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, n);
	struct rootkeys *keys = rootkeys_new();
	struct fail f;
	bool is_taken;

	/* the signatures of the trusted keys take most of the time: only what adds something is tried beside them */
	is_taken = rootkeys_parse(keys, "keys", text, n, &f) == 0 || rootkeys_count(keys) > 0;
	rootkeys_free(keys);
	if (!is_taken)
		return 0;
	keys = rootkeys_new();

	if (!trusted.len)
		prepare();
	if (rootkeys_parse(keys, "trusted", trusted.s, trusted.len, &f) < 0 || rootkeys_count(keys) != 2)
		abort();
	rootkeys_parse(keys, "keys", text, n, &f);
	if (!rootkeys_find(keys, "ADU.200702.R") || rootkeys_count(keys) < 2)
		abort();
	(void)rootkeys_disabled(keys, "ADU.200702.R");
	(void)rootkeys_signing_disabled(keys, rootkeys_find(keys, "ADU.200702.R"));
	rootkeys_free(keys);
	return 0;
}
