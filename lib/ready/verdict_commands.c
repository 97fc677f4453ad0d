#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "ready/verdict_commands.h"

enum { COMMAND_MS = 30000, COMMAND_GRACE_MS = 2000 };

struct verdict_commands {
	struct loop *loop;
	struct verdict_commands_spec spec;
	struct spawn *running;
	bool due[VERDICTS];
};

static void command_next(struct verdict_commands *c);

static void
command_done(const struct spawn_result *r, void *cookie)
{
	struct verdict_commands *c = cookie;
	_cleanup_buf_ struct buf how = BUF_INIT;
	struct fail f;

	c->running = NULL;
	if (r->status != 0 && !r->ended) {
		spawn_describe(r, &how);
		fail_set(&f, EXIT_TROUBLE, "--on: %s", how.s);
		c->spec.report(&f, c->spec.report_cookie);
	}
	command_next(c);
	if (verdict_commands_is_idle(c))
		c->spec.idle(c->spec.cookie);
}

static void
command_next(struct verdict_commands *c)
{
	struct spawn_spec spec = { .timeout_ms = COMMAND_MS, .grace_ms = COMMAND_GRACE_MS,
	    .out_inherit = true, .err_inherit = true };

	for (int v = 0; v < VERDICTS && !c->running; v++) {
		if (!c->due[v])
			continue;
		c->due[v] = false;
		spec.argv = c->spec.argv[v];
		c->spec.prepare((enum readiness_verdict)v, c->spec.cookie);
		c->running = spawn_start(c->loop, &spec, command_done, c);
	}
}

struct verdict_commands *
verdict_commands_new(struct loop *l, const struct verdict_commands_spec *spec)
{
	struct verdict_commands *c = xcalloc(1, sizeof *c);

	*c = (struct verdict_commands){ .loop = l, .spec = *spec };
	return c;
}

void
verdict_commands_run(struct verdict_commands *c, enum readiness_verdict v)
{
	c->due[v] = c->spec.argv[v] != NULL;
	command_next(c);
}

void
verdict_commands_end(struct verdict_commands *c)
{
	memset(c->due, 0, sizeof c->due);
	if (c->running)
		spawn_end(c->running);
}

bool
verdict_commands_is_idle(const struct verdict_commands *c)
{
	return !c->running;
}

void
verdict_commands_free(struct verdict_commands *c)
{
	free(c);
}
