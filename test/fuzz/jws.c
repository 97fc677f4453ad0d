#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/goal.h"
#include "deploy/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct rootkeys *keys;
static struct goal *good;

/* A file of the source tree, which this one is in. */
static void
load(const char *path, struct buf *text)
{
	_cleanup_free_ char *whole = xasprintf("%.*s%s", (int)(sizeof __FILE__ - sizeof "test/fuzz/jws.c"), __FILE__, path);
	struct fail f;

	if (file_load(whole, 0, 1 << 20, text, &f) < 0)
		fail_die(&f);
}

static void
prepare(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct fail f;

	keys = rootkeys_new();
	load("packaging/examples/rootkeys-azure.json", &text);
	if (rootkeys_parse(keys, "keys", text.s, text.len, &f) < 0)
		fail_die(&f);
	load("test/data/adu/signed-good.json", &text);
	if (goal_parse("good", text.s, text.len, &good, &f) < 0)
		fail_die(&f);
}

/* A signature of a real manifest, with the real root keys: the one that belongs to it is accepted, and no other. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data;
	struct signer s;
	struct fail f;
	bool is_good, is_accepted;

	if (!keys)
		prepare();
	is_good = n == good->signature_len && memcmp(text, good->signature, n) == 0;
	is_accepted = signature_verify(keys, "goal", text, n, good->manifest_text, good->manifest_len, &s, &f) == 0;
	if (is_good != is_accepted)
		abort();
	return 0;
}
