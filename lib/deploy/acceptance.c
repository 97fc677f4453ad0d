#include "base/xalloc.h"
#include "deploy/acceptance.h"

int
acceptance_check(const struct goal *g, const struct rootkeys *keys, bool allow_unsigned,
    struct signer *s, struct fail *f)
{
	_cleanup_free_ char *name = xasprintf("goal %s", g->id);
	int r;

	*s = (struct signer){ .root = "" };
	if (g->action == GOAL_CANCEL || g->action == GOAL_MODULES)
		return 0;
	if (!g->signature) {
		if (allow_unsigned)
			return 0;
		r = fail_set(f, EXIT_DENIED, "%s: is not signed", name);
		fail_hint(f, "allow-unsigned = yes in agent.conf accepts it, where the source of goals may run programs on this device");
		return r;
	}
	r = signature_verify(keys, name, g->signature, g->signature_len, g->manifest_text,
	    g->manifest_len, s, f);
	if (r == 0 || !s->root_unknown || !allow_unsigned)
		return r;
	*s = (struct signer){ .root = "" };
	return 0;
}

int
acceptance_check_modules(const struct goal *g, bool allow_modules, bool allow_unsigned, struct fail *f)
{
	int r;

	if (!g->modules)
		return 0;
	if (!allow_modules) {
		r = fail_set(f, EXIT_DENIED, "goal %s: has modules, and allow-modules is not set in agent.conf", g->modules->id);
		fail_hint(f, "set allow-modules = yes where the source of goals may run programs on this device");
		return r;
	}
	if (allow_unsigned)
		return 0;
	r = fail_set(f, EXIT_DENIED, "goal %s: its modules are not signed, and neither allow-unsigned nor, for a goal of "
	    "rejoin-hub, trust-hub is set in agent.conf", g->modules->id);
	fail_hint(f, "set trust-hub = yes where the hub may run programs on this device");
	return r;
}
