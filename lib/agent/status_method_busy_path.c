#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/status_method.h"
#include "base/clock.h"
#include "base/xalloc.h"

enum { POLL_MS = 50, CHANGE_POLL_MS = 20 };

/* Can the directory before the pattern's first wildcard be looked into? */
static int
check_pattern(const char *pattern)
{
	size_t n = strcspn(pattern, "*?[");
	_cleanup_free_ char *prefix = xstrndup(pattern, n);
	_cleanup_free_ char *dir = pattern[n] && n && prefix[n - 1] == '/' ? xstrdup(prefix)
	    : xstrdup(dirname(prefix));

	return access(dir, pattern[n] ? R_OK | X_OK : X_OK) < 0 ? -errno : 0;
}

/* Does anything match the busy-path: 1, 0, or an error where that cannot be seen. */
static int
match_busy_path(const struct profile *p, struct fail *f)
{
	const char *pattern = p->status.busy_path;
	int r = check_pattern(pattern);
	glob_t g;

	if (r == 0) {
		r = glob(pattern, GLOB_ERR | GLOB_NOSORT, NULL, &g);
		globfree(&g);
		if (r == 0)
			return 1;
		if (r == GLOB_NOMATCH)
			return 0;
		r = -EACCES;
	}
	fail_set(f, EXIT_BUSY, "the state of %s is unknown: %s: %s", p->name, pattern, strerror(-r));
	return -ENODATA;
}

static int
read_busy_path(const struct profile *p, struct status *s, struct fail *f)
{
	int busy;

	status_method_read_unit(p, s);
	busy = match_busy_path(p, f);
	if (s->running == 0)
		s->state = AGENT_STOPPED;
	else if (busy >= 0)
		s->state = busy ? AGENT_BUSY : AGENT_IDLE;
	else
		snprintf(s->note, sizeof s->note, "%.250s", f->text);
	return 0;
}

static int
wait_idle_busy_path(const struct profile *p, int64_t timeout_ms, struct fail *f)
{
	const int64_t end = clock_mono_ms() + timeout_ms;
	struct status s;

	for (;;) {
		int busy = match_busy_path(p, f);
		int64_t left = end - clock_mono_ms();

		if (busy <= 0)
			return busy;
		/* a dead agent leaves its sandbox behind, and it is not busy */
		s = (struct status){ .running = -1 };
		if (read_busy_path(p, &s, f) == 0 && s.running == 0)
			return 0;
		if (left <= 0)
			return -ETIMEDOUT;
		clock_sleep_ms(left < POLL_MS ? left : POLL_MS);
	}
}

const struct status_method status_method_busy_path = {
	read_busy_path, wait_idle_busy_path, CHANGE_POLL_MS, false,
};
