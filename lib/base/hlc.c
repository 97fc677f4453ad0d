#include "base/hlc.h"

int64_t
hlc_next(struct hlc *h, int64_t wall_ms)
{
	return hlc_next_us(h, wall_ms * 1000);
}

int64_t
hlc_next_us(struct hlc *h, int64_t wall_us)
{
	h->last = wall_us > h->last ? wall_us : h->last + 1;
	return h->last;
}

void
hlc_see(struct hlc *h, int64_t id)
{
	if (id > h->last)
		h->last = id;
}
