#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/instance_state.h"
#include "base/clock.h"

enum { EXEC_MS = 1000 };

static int64_t
start_ms(uint64_t ticks)
{
	return (int64_t)ticks * 1000 / sysconf(_SC_CLK_TCK);
}

int
instance_state_of_process(pid_t pid, struct instance_state *l)
{
	char name[INCARNATION_TEXT];
	uint64_t ticks;
	int r = incarnation_of(pid, name);

	if (r == 0)
		r = incarnation_start(pid, &ticks);
	if (r < 0)
		return r;
	*l = (struct instance_state){ .running = 1, .pid = pid, .began_ms = start_ms(ticks) };
	strcpy(l->name, name);
	snprintf(l->text, sizeof l->text, "process %jd", (intmax_t)pid);
	return 0;
}

int64_t
instance_state_own_start_ms(void)
{
	const int64_t least = clock_boot_ms() - EXEC_MS;
	uint64_t ticks;
	int64_t ms = incarnation_start(getpid(), &ticks) == 0 ? start_ms(ticks) : least + EXEC_MS;

	return ms > least ? ms : least;
}
