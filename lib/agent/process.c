#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/process.h"
#include "agent/process_view.h"
#include "agent/unit.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/num.h"
#include "base/procstat.h"
#include "base/xalloc.h"

enum { PID_FILE_MAX = 64, SAMPLES_MAX = 10, SAMPLE_NS = 100000, FILE_TIME_LAG_NS = 30000000 };
enum { HUNG_CHECKS = 5, HUNG_PAUSE_MS = 1000 };

static int64_t
now_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* A pid file decides which process is signalled, so it must be trusted. */
static int
read_pid_file(const struct profile *p, const char *pid_file, pid_t *pid, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char *text;
	int64_t n;
	int r = file_load_trusted(pid_file, p->gid, PID_FILE_MAX, &b, f);

	if (r == -ENOENT)
		return fail_set(f, EXIT_ABSENT, "%s: not running: %s: no such file", p->name, pid_file);
	if (r < 0)
		return r;
	text = b.s + strspn(b.s, " \t");	/* some programs pad it */
	text[strcspn(text, " \t\r\n")] = '\0';
	if (num_parse(text, 2, INT32_MAX, &n) < 0)
		return fail_set(f, EXIT_TROUBLE, "%s: holds no process id: '%s'", pid_file, text);
	*pid = (pid_t)n;
	return 0;
}

static int
find_in_unit(const struct profile *p, pid_t *pid, struct fail *f)
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
	const enum process_view view = process_view_read();

	/* the process of that pid would be another one */
	if (view == PROCESS_VIEW_FOREIGN) {
		fail_set(f, EXIT_TROUBLE, "%s: its process cannot be found: %s", p->name, process_view_limit(view));
		fail_hint(f, "mount /proc for this pid namespace (unshare --mount-proc)");
		return -EXDEV;
	}
	return pid_file ? read_pid_file(p, pid_file, pid, f) : find_in_unit(p, pid, f);
}

/* The path EXE with the links of its directory resolved: the file itself may be gone.  To be freed. */
static char *
resolve_dir(const char *exe)
{
	_cleanup_free_ char *copy = xstrdup(exe), *dir = NULL;
	char *slash = strrchr(copy, '/');

	if (!slash)
		return xstrdup(exe);
	*slash = '\0';
	dir = realpath(*copy ? copy : "/", NULL);
	return dir ? xasprintf("%s/%s", strcmp(dir, "/") ? dir : "", slash + 1) : xstrdup(exe);
}

/* Is the program at LINK, which has the name NAME, the file EXE or what EXE was before an upgrade? */
static bool
is_program(const char *link, const char *name, const char *exe)
{
	_cleanup_free_ char *real = resolve_dir(exe);
	static const char gone[] = " (deleted)";
	struct stat running, wanted;
	size_t n = strlen(name);

	if (stat(link, &running) == 0 && stat(exe, &wanted) == 0 &&
	    running.st_dev == wanted.st_dev && running.st_ino == wanted.st_ino)
		return true;
	if (n > sizeof gone - 1 && strcmp(name + n - (sizeof gone - 1), gone) == 0)
		n -= sizeof gone - 1;
	return (strlen(exe) == n && memcmp(exe, name, n) == 0) ||
	    (strlen(real) == n && memcmp(real, name, n) == 0);
}

int
process_check_exe(pid_t pid, const char *exe, struct fail *f)
{
	_cleanup_free_ char *link = xasprintf("/proc/%jd/exe", (intmax_t)pid);
	struct stat st;
	char name[PATH_MAX];
	ssize_t n = readlink(link, name, sizeof name - 1);

	if (n < 0)
		return fail_errno(f, errno, "%s", link);
	name[n] = '\0';
	if (is_program(link, name, exe))
		return 0;
	fail_set(f, EXIT_DENIED, "process %jd runs %s, not %s", (intmax_t)pid, name, exe);
	return stat(link, &st) == 0 && st.st_nlink == 0 ? -ESTALE : -ENOEXEC;
}

/* The wall-clock time of the boot; both clocks are read at the same moment, as far as possible. */
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

static int64_t
ns_of(struct timespec t)
{
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int
process_check_age(pid_t pid, const char *pid_file, bool runs_exe, struct fail *f)
{
	const int64_t tick_ns = 1000000000 / sysconf(_SC_CLK_TCK), boot = boot_ns();
	int64_t start;
	struct stat st;
	uint64_t ticks;
	int r = incarnation_start(pid, &ticks);

	if (r < 0)
		return r == -ESRCH ? r : fail_errno(f, r, "process %jd", (intmax_t)pid);
	if (stat(pid_file, &st) < 0)
		return fail_errno(f, errno, "%s", pid_file);
	/*
	 * A start is rounded down to its tick.  The time of a file is that of the last
	 * timer interrupt, which is late where a virtual machine had no processor for it;
	 * a pid is hardly used again as soon as that.
	 */
	start = boot + (int64_t)ticks * tick_ns - FILE_TIME_LAG_NS;
	if (start <= ns_of(st.st_mtim))
		return 0;
	/* no utimensat(2) sets the ctime; and a running process has no file from before the boot */
	if (runs_exe && (start <= ns_of(st.st_ctim) || ns_of(st.st_mtim) < boot))
		return 0;
	fail_set(f, EXIT_DENIED, "process %jd is younger than %s: its pid was used again, or the "
	    "clock was set since", (intmax_t)pid, pid_file);
	return -ESTALE;
}

bool
process_is_hung(pid_t pid, const char **why)
{
	for (int i = 0; i < HUNG_CHECKS; i++) {
		struct procstat s;

		(void)procstat_read(pid, &s);	/* no state where it has ended */
		switch (s.state) {
		case 'T':
		case 't':
			*why = "stopped by a signal or a debugger";
			return true;
		case 'D':
			if (i < HUNG_CHECKS - 1)
				clock_sleep_ms(HUNG_PAUSE_MS);
			break;
		default:
			return false;
		}
	}
	*why = "in uninterruptible sleep";
	return true;
}
