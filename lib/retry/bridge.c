#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "retry/bridge.h"

bool
bridge_is_name(const char *program)
{
	static const char name[] = "adu-trigger-reprocess";

	return strncmp(program, name, sizeof name - 1) == 0;
}

void
bridge_ask_by_environment(struct profile *p)
{
	const char *bin = secure_getenv("ADU_AGENT_BIN");
	const char *const command[] = { bin, "--command", "retry-update", NULL };

	if (bin && access(bin, X_OK) == 0)
		profile_ask_by(p, command);
}
