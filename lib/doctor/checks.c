#include <string.h>

#include "base/xalloc.h"
#include "doctor/checks.h"

static const struct check checks[] = {
	{ "profile", "the profile, and whether the files, units and programs that it names exist", CHECK_PROFILE,
	    profile_check_run, NULL },
	{ "agent", "whether the agent runs, and its incarnation", CHECK_AGENT, agent_check_run, NULL },
	{ "fifo", "the agent's command pipe: type, owner, group, mode, readers", CHECK_AGENT, fifo_check_run,
	    fifo_check_fix },
	{ "groups", "whether the caller may send a request to the agent", CHECK_AGENT, groups_check_run, NULL },
	{ "marks", "pending requests, and the process that delivers them", CHECK_AGENT, marks_check_run,
	    marks_check_fix },
	{ "inventory", "whether the inventory can be read, its ids are unique and its probes exist", CHECK_AGENT,
	    inventory_check_run, NULL },
	{ "enumerator", "whether the Azure agent has our component enumerator registered, with its hash", CHECK_AGENT,
	    enumerator_check_run, enumerator_check_fix },
	{ "hardening", "what the toolkit's units forbid that the profile or a probe needs", CHECK_AGENT,
	    hardening_check_run, NULL },
	{ "logs", "whether the log files have times that are understood, and lag", CHECK_AGENT,
	    logs_check_run, NULL },
	{ "config", "the configuration directory, agent.conf and the goal that it names", CHECK_MACHINE,
	    config_check_run, config_check_fix },
	{ "journal", "whether journald lags or has dropped messages", CHECK_MACHINE, journal_check_run, NULL },
	{ "limits", "inotify limits, inotifywait, clock synchronization", CHECK_MACHINE, limits_check_run, NULL },
	{ NULL, NULL, CHECK_AGENT, NULL, NULL },
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

void
checks_run_all(struct doctor_run *x, enum check_scope scope)
{
	for (const struct check *c = checks_all(); c->name; c++)
		if ((c->scope == CHECK_MACHINE) == (scope == CHECK_MACHINE))
			doctor_run_check(x, c);
}

void
checks_run_agents(struct doctor_run *x, char *const *names)
{
	struct fail f;

	for (; *names; names++) {
		if (doctor_open(x, *names, &f) == 0) {
			checks_run_all(x, CHECK_AGENT);
			continue;
		}
		x->agent = xstrdup(*names);
		x->now = checks_find("profile");
		doctor_fail(x, *names, "%s", f.text);
		doctor_advise(x, "%s", *f.hint ? f.hint : "create the profile, or disable the units that name it");
	}
	checks_run_all(x, CHECK_MACHINE);
}
