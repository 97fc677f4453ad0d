#include "base/hlc.h"

int64_t
hlc_next(struct hlc *h, int64_t wall_ms)
{
	int64_t now = wall_ms * 1000;

	h->last = now > h->last ? now : h->last + 1;
	return h->last;
}

void
hlc_see(struct hlc *h, int64_t id)
{
	if (id > h->last)
		h->last = id;
}
