#include <string.h>

#include "doctor/checks.h"

static const struct check checks[] = {
	{ "profile", "the profile, and whether the files, units and programs that it names exist", false,
	    profile_check_run, NULL },
	{ "agent", "whether the agent runs, and its incarnation", true, agent_check_run, NULL },
	{ "fifo", "the agent's command pipe: type, owner, group, mode, readers", true, fifo_check_run,
	    fifo_check_fix },
	{ "groups", "whether the caller may send a request to the agent", true, groups_check_run, NULL },
	{ "marks", "pending requests, and the process that delivers them", true, marks_check_run,
	    marks_check_fix },
	{ "inventory", "whether the inventory can be read, its ids are unique and its probes exist", true,
	    inventory_check_run, NULL },
	{ "hardening", "what the toolkit's units forbid that the profile or a probe needs", true,
	    hardening_check_run, NULL },
	{ "limits", "inotify limits, inotifywait, clock synchronization", false, limits_check_run, NULL },
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
