#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/process.h"
#include "agent/unit.h"
#include "base/file.h"
#include "base/num.h"
#include "base/xalloc.h"

enum { PID_FILE_MAX = 64, SAMPLES_MAX = 10, SAMPLE_NS = 100000 };

static int64_t
now_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* A PID file says whom to signal, so it is trusted or not used. */
static int
of_file(const struct profile *p, const char *pid_file, pid_t *pid, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char *text;
	int64_t n;
	int r = file_load_trusted(pid_file, p->gid, PID_FILE_MAX, &b, f);

	if (r == -ENOENT)
		return fail_set(f, EXIT_ABSENT, "%s: not running: %s: is not there", p->name, pid_file);
	if (r < 0)
		return r;
	text = b.s + strspn(b.s, " \t");	/* some write it in a column */
	text[strcspn(text, " \t\r\n")] = '\0';
	if (num_parse(text, 2, INT32_MAX, &n) < 0)
		return fail_set(f, EXIT_TROUBLE, "%s: holds no process id: '%s'", pid_file, text);
	*pid = (pid_t)n;
	return 0;
}

static int
of_unit(const struct profile *p, pid_t *pid, struct fail *f)
{
	switch (unit_main_pid(NULL, p->unit, pid)) {
	case 0:
		return 0;
	case -ESRCH:
		return fail_set(f, EXIT_ABSENT, "%s: not running: %s has no process", p->name,
		    p->unit);
	default:
		return fail_set(f, EXIT_TROUBLE, "%s: its process cannot be found: control groups"
		    " do not show it", p->unit);
	}
}

int
process_find(const struct profile *p, const char *pid_file, pid_t *pid, struct fail *f)
{
	return pid_file ? of_file(p, pid_file, pid, f) : of_unit(p, pid, f);
}

int
process_check_exe(pid_t pid, const char *exe, struct fail *f)
{
	_cleanup_free_ char *link = xasprintf("/proc/%jd/exe", (intmax_t)pid);
	char at[PATH_MAX];
	ssize_t n = readlink(link, at, sizeof at - 1);
	char *deleted;

	if (n < 0)
		return fail_errno(f, errno, "%s", link);
	at[n] = '\0';
	deleted = strstr(at, " (deleted)");
	if (deleted && deleted[strlen(" (deleted)")] == '\0')
		*deleted = '\0';
	if (strcmp(at, exe) == 0)
		return 0;
	fail_set(f, EXIT_DENIED, "process %jd runs %s, not %s", (intmax_t)pid, at, exe);
	return -ENOEXEC;
}

/* The wall clock when the clock of boot was 0; both are read as one. */
static int64_t
boot_ns(void)
{
	int64_t before, wall, after;
	int tries = 0;

	do {
		before = now_ns(CLOCK_BOOTTIME);
		wall = now_ns(CLOCK_REALTIME);
		after = now_ns(CLOCK_BOOTTIME);
	} while (after - before > SAMPLE_NS && ++tries < SAMPLES_MAX);
	return wall - before;
}

int
process_check_age(pid_t pid, const char *pid_file, struct fail *f)
{
	const int64_t tick_ns = 1000000000 / sysconf(_SC_CLK_TCK);
	struct timespec grain;
	struct stat st;
	uint64_t ticks;
	int64_t written;
	int r = incarnation_start(pid, &ticks);

	if (r < 0)
		return r;
	if (stat(pid_file, &st) < 0)
		return fail_errno(f, errno, "%s", pid_file);
	/* a start is rounded down to its tick, and so is the time of a file, to the kernel's */
	clock_getres(CLOCK_REALTIME_COARSE, &grain);
	written = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec + grain.tv_nsec;
	if (boot_ns() + (int64_t)ticks * tick_ns <= written + SAMPLE_NS)
		return 0;
	return fail_set(f, EXIT_DENIED, "process %jd is younger than %s: it is another, or the clock "
	    "was set since", (intmax_t)pid, pid_file);
}
