#include <stdlib.h>

#include "causal/known_ids.h"

void
known_ids_free(struct known_ids *k)
{
	if (!k)
		return;
	idset_release(&k->unsent);
	idset_release(&k->early);
	free(k);
}

bool
known_ids_is_unsent(const struct known_ids *k, uint64_t id)
{
	return idset_has(&k->unsent, id);
}

bool
known_ids_is_early(const struct known_ids *k, uint64_t id)
{
	return idset_has(&k->early, id);
}
