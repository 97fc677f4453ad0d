/* What was added is found; what was not is rarely taken for it. */
#include <stdio.h>

#include "base/bloom.h"

enum { ADDED = 1000000, ASKED = 100000, WRONG_MAX = 60 };

int
main(void)
{
	struct bloom b = BLOOM_INIT;
	unsigned wrong = 0;

	if (bloom_has(&b, 1))
		return 1;
	for (uint64_t id = 1; id <= ADDED; id++)
		bloom_add(&b, id);
	for (uint64_t id = 1; id <= ADDED; id++)
		if (!bloom_has(&b, id)) {
			fprintf(stderr, "bloom: %ju is not found\n", (uintmax_t)id);
			return 1;
		}
	for (uint64_t id = ADDED + 1; id <= ADDED + ASKED; id++)
		wrong += bloom_has(&b, id);
	if (wrong > WRONG_MAX) {
		fprintf(stderr, "bloom: %u of %d are taken for others\n", wrong, ASKED);
		return 1;
	}
	bloom_release(&b);
	return 0;
}
