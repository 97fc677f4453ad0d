#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/incarnation.h"
#include "base/bootid.h"
#include "base/procstat.h"

int
incarnation_start(pid_t pid, uint64_t *ticks)
{
	struct procstat s;
	const int r = procstat_read_alive(pid, &s);

	if (r == 0)
		*ticks = s.start;
	return r;
}

int
incarnation_of(pid_t pid, char text[INCARNATION_TEXT])
{
	char boot[BOOTID_SIZE];
	uint64_t ticks = 0;
	int r = incarnation_start(pid, &ticks);

	if (r == 0)
		r = bootid_read(boot);
	if (r < 0)
		return r;
	snprintf(text, INCARNATION_TEXT, "%.8s-%jd-%ju", boot, (intmax_t)pid, (uintmax_t)ticks);
	return 0;
}

int
incarnation_is(pid_t pid, const char *text)
{
	char now[INCARNATION_TEXT], boot[BOOTID_SIZE];
	const size_t n = strcspn(text, "-");
	int r;

	if (pid <= 0 || n == 0 || n >= sizeof boot)
		return 0;
	r = incarnation_of(pid, now);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	if (strcmp(strchr(now, '-'), text + n) != 0)
		return 0;
	memcpy(boot, text, n);
	boot[n] = '\0';
	return bootid_is_current(boot);
}
