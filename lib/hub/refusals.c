#include "hub/refusals.h"

bool
refusals_may_tell(struct refusals *r, int64_t now_ms, const struct logger *log, const char *what)
{
	if (r->told == 0 || now_ms - r->since_ms >= REFUSALS_MS) {
		if (r->untold > 0)
			logger_info(log, "%jd more %s refused", (intmax_t)r->untold, what);
		*r = (struct refusals){ .since_ms = now_ms };
	}
	if (r->told < REFUSALS_TOLD) {
		r->told++;
		return true;
	}
	r->untold++;
	return false;
}
