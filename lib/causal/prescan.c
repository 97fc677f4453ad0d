#include "causal/idmap.h"
#include "causal/prescan.h"

struct prescan {
	struct idmap unsent;
};

bool
prescan_is_unsent(const struct prescan *p, uint64_t id)
{
	return idmap_find(&p->unsent, id) != NULL;
}
