#include <stdint.h>
#include <stdio.h>

#include "agent/status.h"
#include "agent/status_method.h"

int
status_read(const struct profile *p, struct status *s, struct fail *f)
{
	int r;

	*s = (struct status){ .state = AGENT_UNKNOWN, .running = -1 };
	r = status_method_find(p)->read(p, s, f);
	if (r == 0)
		snprintf(s->agent, sizeof s->agent, "%.255s", p->name);
	return r;
}

int
status_wait_idle(const struct profile *p, bool for_request, int64_t timeout_ms, struct fail *f)
{
	return status_method_find(p)->wait_idle(p, for_request, timeout_ms, f);
}

bool
status_is_settled(const struct status *s)
{
	return (s->state == AGENT_IDLE || s->state == AGENT_FAILED) && !s->pending && s->cycle == s->settled_cycle;
}

void
status_evaluation(const struct status *s, char *text, size_t size)
{
	snprintf(text, size, "%s/%jd", s->incarnation, (intmax_t)s->settled_cycle);
}
