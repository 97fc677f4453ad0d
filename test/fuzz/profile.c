#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/profile.h"
#include "base/argv.h"
#include "base/ini.h"
#include "base/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A profile, and so the INI text below it; and the splitting of its argument vectors. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data;
	char *line = xstrndup(text, n);
	struct profile *p = NULL;
	struct fail f = { 0 };
	char **words = argv_split(line, NULL);

	if (profile_parse("f", text, n, &p, &f) < 0) {
		if (f.status != EXIT_USAGE || f.text[0] != 'f' || p)
			abort();
	} else {
		if (p->retry.method == RETRY_FIFO && p->retry.frame == FRAME_ADU64 &&
		    strlen(p->retry.command) > 63)
			abort();
		profile_free(p);
	}
	xfree_strv(words);
	free(line);
	return 0;
}
