#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/status_method.h"
#include "agent/unit.h"
#include "base/clock.h"

enum { NONE_POLL_MS = 250 };

/* The wall-clock time at which PID started. */
static void
read_since(pid_t pid, struct status *s)
{
	const int64_t hz = sysconf(_SC_CLK_TCK);
	struct timespec now, boot;
	char text[CLOCK_TEXT];
	uint64_t ticks;
	int64_t ns;

	if (incarnation_start(pid, &ticks) < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	ns = (now.tv_sec - boot.tv_sec) * INT64_C(1000000000) + now.tv_nsec - boot.tv_nsec +
	    (int64_t)ticks * (1000000000 / hz);
	now = (struct timespec){ ns / 1000000000, ns % 1000000000 };
	strcpy(s->since, clock_format(now, text));
}

void
status_method_read_incarnation(struct status *s)
{
	if (s->pid > 0 && incarnation_of(s->pid, s->incarnation) == 0)
		read_since(s->pid, s);
}

void
status_method_read_unit(const struct profile *p, struct status *s)
{
	int r = p->unit ? unit_main_pid(NULL, p->unit, &s->pid) : -ENODATA;

	s->running = r == 0 ? 1 : r == -ESRCH ? 0 : -1;
	status_method_read_incarnation(s);
}

static int
read_none(const struct profile *p, struct status *s, struct fail *f)
{
	(void)f;
	status_method_read_unit(p, s);
	if (s->running == 0)
		s->state = AGENT_STOPPED;
	strcpy(s->note, "its profile has no [status]");
	return 0;
}

static int
wait_idle_none(const struct profile *p, bool for_request, int64_t timeout_ms, struct fail *f)
{
	(void)for_request;
	(void)timeout_ms;
	fail_set(f, EXIT_BUSY, "the state of %s is unknown: its profile has no [status]", p->name);
	return -ENODATA;
}

static const struct status_method status_method_none = { read_none, wait_idle_none, NONE_POLL_MS, 0, false };

bool
status_method_shows_outcome(const struct profile *p)
{
	return p->status.method == STATUS_FILE || (p->status.method != STATUS_NONE &&
	    p->status.failed && p->status.idle);
}

const struct status_method *
status_method_find(const struct profile *p)
{
	static const struct status_method *const methods[] = {
		[STATUS_NONE] = &status_method_none, [STATUS_FILE] = &status_method_file,
		[STATUS_BUSY_PATH] = &status_method_busy_path, [STATUS_SYSTEMD] = &status_method_systemd,
		[STATUS_DBUS] = &status_method_dbus, [STATUS_EXEC] = &status_method_exec,
		[STATUS_ADU_API] = &status_method_adu_api,
	};

	return methods[p->status.method];
}

/*
 * Can an agent in STATE take a request?  One that starts, stops or reboots drops it, as the Azure agent does before it
 * is connected; one that does not run refuses it.
 */
static bool
is_resting(enum agent_state state)
{
	return state == AGENT_IDLE || state == AGENT_FAILED || state == AGENT_STOPPED;
}

int
status_method_poll_idle(const struct profile *p, bool for_request, int64_t timeout_ms, struct fail *f)
{
	const struct status_method *m = status_method_find(p);
	const int64_t end = timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;

	for (;;) {
		struct status s = { .running = -1 };
		int64_t left = end - clock_mono_ms();

		if (m->read(p, &s, f) < 0)
			return -ENODATA;
		if (s.state == AGENT_UNKNOWN) {
			fail_set(f, EXIT_BUSY, "the state of %s is unknown: %s", p->name, s.note);
			return -ENODATA;
		}
		if (for_request ? is_resting(s.state) : s.state != AGENT_BUSY)
			return 0;
		if (left <= 0)
			return -ETIMEDOUT;
		clock_sleep_ms(left < m->idle_poll_ms ? left : m->idle_poll_ms);
	}
}
