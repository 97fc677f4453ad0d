#include <stdio.h>
#include <unistd.h>

#include "base/filewatch.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "deploy/aftermath.h"

enum { HOLD_POLL_MS = 5000, REBOOT_GRACE_MS = 1000 };

void
aftermath_init(struct aftermath *a, struct loop *l, const struct aftermath_callbacks *callbacks)
{
	*a = (struct aftermath){ .need = ATTEMPTS_NEED_NONE, .loop = l, .callbacks = *callbacks };
}

void
aftermath_release(struct aftermath *a)
{
	if (a->reboot)
		spawn_kill(TAKE_PTR(a->reboot));
	aftermath_clear(a);
}

void
aftermath_clear(struct aftermath *a)
{
	a->need = ATTEMPTS_NEED_NONE;
	a->is_on_hold = false;
	filewatch_free(TAKE_PTR(a->hold));
}

bool
aftermath_is_pending(const struct aftermath *a)
{
	return a->need != ATTEMPTS_NEED_NONE || a->is_on_hold;
}

static void
reboot_ended(const struct spawn_result *result, void *cookie)
{
	struct aftermath *a = cookie;
	_cleanup_buf_ struct buf text = BUF_INIT;

	a->reboot = NULL;
	if (result->status == 0 || result->ended)
		return;
	buf_puts(&text, "reboot: the command ");
	spawn_describe(result, &text);
	a->callbacks.log(text.s, a->callbacks.cookie);
}

/* The file of hold-until is there: what was held back begins. */
static void
hold_changed(bool names, void *cookie)
{
	struct aftermath *a = cookie;

	(void)names;
	/* the configuration may have been read anew since */
	if (!a->is_on_hold || !a->config->hold_until || access(a->config->hold_until, F_OK) < 0)
		return;
	a->is_on_hold = false;
	/* from the loop: the cycle frees what calls this */
	a->callbacks.due(0, a->callbacks.cookie);
}

static void
begin_hold(struct aftermath *a)
{
	a->callbacks.note("held back until the file of hold-until exists", a->callbacks.cookie);
	a->hold = filewatch_new(a->loop, HOLD_POLL_MS);
	filewatch_add(a->hold, a->config->hold_until, FILEWATCH_PATH, hold_changed, a);
}

static void
begin_reboot(struct aftermath *a, const struct agent_config *config)
{
	_cleanup_free_ char *text = xasprintf("an update asks for a reboot: %s", config->reboot[0]);

	a->has_rebooted = true;
	a->callbacks.log(text, a->callbacks.cookie);
	/* not seen in time, the step has failed: a cycle finds that */
	a->callbacks.due(config->reboot_timeout_ms + 1000, a->callbacks.cookie);
	a->reboot = spawn_start(a->loop, &(struct spawn_spec){ .argv = config->reboot, .session = true,
	    .timeout_ms = config->reboot_timeout_ms, .grace_ms = REBOOT_GRACE_MS }, reboot_ended, a);
}

void
aftermath_carry_out(struct aftermath *a, const struct agent_config *config)
{
	a->config = config;
	if (a->is_on_hold && config->hold_until && !a->hold)
		begin_hold(a);
	if (a->need == ATTEMPTS_NEED_RESTART)
		a->callbacks.restart(a->callbacks.cookie);
	else if (a->need == ATTEMPTS_NEED_REBOOT && config->reboot && !a->reboot && !a->has_rebooted)
		begin_reboot(a, config);
}
