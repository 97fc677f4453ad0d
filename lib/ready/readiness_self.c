#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "base/bootid.h"
#include "base/clock.h"
#include "base/num.h"
#include "ready/readiness_self.h"

int
readiness_self_boot(char boot[READINESS_BOOT], struct fail *f)
{
	int e = bootid_read(boot);

	return e < 0 ? fail_errno(f, e, "/proc/sys/kernel/random/boot_id") : 0;
}

static int
set_self(const char *what, const char *id, struct readiness_self *s, struct fail *f)
{
	if (!readiness_note_is_id(id, strlen(id)))
		return fail_set(f, EXIT_USAGE, "%s: not the name of an incarnation: '%s' (1 to %d "
		    "bytes, no controls)", what, id, READINESS_ID - 1);
	readiness_note_set_id(id, strlen(id), s->id);
	return 0;
}

/* When PID started, or now. */
static int64_t
began_us(pid_t pid)
{
	uint64_t ticks;

	if (pid <= 0 || incarnation_start(pid, &ticks) < 0)
		return clock_boot_us();
	return (int64_t)(ticks * (uint64_t)(1000000 / sysconf(_SC_CLK_TCK)));
}

/* The process that the service manager started, of which we are or descend from; 0 where not told. */
static pid_t
service_pid(void)
{
	const char *text = secure_getenv("SYSTEMD_EXEC_PID");
	int64_t pid;

	return text && num_parse(text, 2, INT32_MAX, &pid) == 0 && pid != getpid() ? (pid_t)pid : 0;
}

/* The parent process, unless it is init: init does not restart with the agent. */
static int
parent_self(struct readiness_self *s, struct fail *f)
{
	pid_t pid = getppid() > 1 ? getppid() : getpid();
	int e = incarnation_of(pid, s->id);

	s->began_us = began_us(pid == getpid() ? 0 : pid);
	return e < 0 ? fail_errno(f, e, "process %jd", (intmax_t)pid) : 0;
}

int
readiness_self_agent(const char *given, struct readiness_self *s, struct fail *f)
{
	const char *invocation = secure_getenv("INVOCATION_ID");

	*s = (struct readiness_self){ .began_us = clock_boot_us() };
	if (given)
		return set_self("--incarnation", given, s, f);
	if (!invocation || !*invocation)
		return parent_self(s, f);
	s->began_us = began_us(service_pid());
	return set_self("INVOCATION_ID", invocation, s, f);
}

int
readiness_self_peer(const char *given, struct readiness_self *s, struct fail *f)
{
	const char *since = secure_getenv("USEC_INITIALIZED"), *event = secure_getenv("SEQNUM");
	const char *kind = since ? "usec" : "event", *number = since ? since : event;
	char boot[READINESS_BOOT];
	int64_t n;
	int e;

	/* without USEC_INITIALIZED the event names the incarnation: udev's workers come and go */
	if (given || !number || !secure_getenv("DEVPATH") || num_parse(number, 0, INT64_MAX, &n) < 0)
		return readiness_self_agent(given, s, f);
	e = readiness_self_boot(boot, f);
	if (e < 0)
		return e;
	*s = (struct readiness_self){ .began_us = clock_boot_us() };
	snprintf(s->id, sizeof s->id, "%.8s-%s-%" PRId64, boot, kind, n);
	return 0;
}
