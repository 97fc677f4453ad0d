#include <string.h>

#include "doctor/checks.h"

static const struct check checks[] = {
	{ "profile", "the profile, and whether all that it names is there", false, named_test, NULL },
	{ "agent", "whether the agent runs, and which incarnation of it", true, agent_test, NULL },
	{ "fifo", "the agent's pipe: type, owner, group, mode, and who reads it", true, pipe_test,
	    pipe_fix },
	{ "groups", "whether the caller may ask the agent", true, caller_test, NULL },
	{ "marks", "requests that are marked and not delivered, and who delivers", true, marks_test,
	    marks_fix },
	{ "inventory", "the components: whether they can be read, and have ids of their own", true,
	    stock_test, NULL },
	{ "hardening", "what the toolkit's units forbid that the profile or a probe needs", true,
	    hardening_test, NULL },
	{ "limits", "what the kernel and this machine allow: inotify, the clock", false, limits_test,
	    NULL },
	{ NULL, NULL, false, NULL, NULL },
};

const struct check *
checks_all(void)
{
	return checks;
}

const struct check *
checks_find(const char *name)
{
	for (const struct check *c = checks; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}
