#include "base/backoff.h"

int64_t
backoff_next(struct backoff *b)
{
	static const int64_t ms[] = { 1000, 3000, 6000, 10000 };
	const unsigned last = sizeof ms / sizeof *ms - 1;

	return ms[b->tries < last ? b->tries++ : last];
}
