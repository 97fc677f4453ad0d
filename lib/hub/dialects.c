#include <string.h>

#include "hub/dialects.h"
#include "hub/native.h"
#include "hub/thingsboard.h"

const struct dialect *
dialects_find(const char *name)
{
	static const struct dialect *const all[] = {
		&thingsboard_evp1, &thingsboard_evp2, &thingsboard_plain, &native_dialect,
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}
