#include <stdint.h>

#include "deploy/goal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The first byte says whether the rest is a goal, or the manifest of one. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data + 1;
	struct manifest *m = NULL;
	struct goal *g = NULL;
	struct fail f;

	if (n == 0)
		return 0;
	if (data[0] & 1) {
		if (goal_parse("g", text, n - 1, &g, &f) == 0)
			goal_free(g);
	} else if (manifest_parse("m", text, n - 1, JSON_ABSENT, &m, &f) == 0) {
		for (size_t i = 0; i < m->n_files; i++)
			if (manifest_file(m, m->files[i].id) == NULL)
				__builtin_trap();
		manifest_free(m);
	}
	return 0;
}
