#include <stdlib.h>

#include "base/xalloc.h"
#include "deploy/canceller.h"

struct canceller {
	struct handler *handler;
	loop_fn *done;		/* NULL once it is not wanted any more */
	void *cookie;
};

static void
action_ended(const struct handler_result *r, void *cookie)
{
	struct canceller *k = cookie;

	(void)r;	/* whatever it says, the installation is ended */
	if (k->done)
		k->done(k->cookie);
	free(k);
}

struct canceller *
canceller_start(struct loop *l, const struct handler_call *call, loop_fn *done, void *cookie)
{
	struct canceller *k = xcalloc(1, sizeof *k);

	*k = (struct canceller){ .done = done, .cookie = cookie };
	k->handler = handler_start(l, call, action_ended, k);
	return k;
}

void
canceller_end(struct canceller *k)
{
	if (!k)
		return;
	k->done = NULL;
	handler_end(k->handler);
}
