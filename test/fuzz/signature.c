#include <stdint.h>
#include <string.h>

#include "base/xalloc.h"
#include "deploy/jws.h"
#include "deploy/rootkeys.h"
#include "deploy/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The first byte says whether the rest is a file of root keys, or a signature. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data + 1;
	struct rootkeys *keys = rootkeys_new();
	struct signer s;
	struct fail f;

	if (n > 0 && (data[0] & 1)) {
		_cleanup_free_ char *whole = xstrndup(text, n - 1);

		rootkeys_parse(keys, "keys", whole, n - 1, &f);
	} else if (n > 0 && signature_verify(keys, "goal", text, n - 1, "{}", 2, &s, &f) == 0) {
		__builtin_trap();	/* no key is trusted */
	}
	rootkeys_free(keys);
	return 0;
}
