#include "base/xalloc.h"
#include "deploy/acceptance.h"

int
acceptance_check(const struct goal *g, const struct rootkeys *keys, bool allow_unsigned,
    struct signer *s, struct fail *f)
{
	_cleanup_free_ char *name = xasprintf("goal %s", g->id);
	int r;

	*s = (struct signer){ .root = "" };
	if (g->action == GOAL_CANCEL)
		return 0;
	if (!g->signature)
		return allow_unsigned ? 0 : fail_set(f, EXIT_DENIED,
		    "%s: is not signed, and allow-unsigned is not set in agent.conf", name);
	r = signature_verify(keys, name, g->signature, g->signature_len, g->manifest_text,
	    g->manifest_len, s, f);
	if (r == 0 || !s->root_unknown || !allow_unsigned)
		return r;
	*s = (struct signer){ .root = "" };
	return 0;
}
