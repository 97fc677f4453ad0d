#include <errno.h>
#include <string.h>

#include "ready/verdict.h"

static const char *const verdict_names[VERDICTS] = {
	[VERDICT_NONE] = "none", [VERDICT_COLD_START] = "cold-start",
	[VERDICT_AGENT_RESTART] = "agent-restart", [VERDICT_PEER_OFFLINE] = "peer-offline",
	[VERDICT_PEER_RESTART] = "peer-restart",
};

const char *
verdict_name(enum readiness_verdict v)
{
	return verdict_names[v];
}

int
verdict_parse(const char *name, enum readiness_verdict *v)
{
	for (int i = VERDICT_NONE + 1; i < VERDICTS; i++)
		if (strcmp(name, verdict_names[i]) == 0) {
			*v = (enum readiness_verdict)i;
			return 0;
		}
	return -EINVAL;
}
