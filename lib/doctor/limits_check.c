#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <unistd.h>

#include "agent/fd_owners.h"
#include "base/buf.h"
#include "base/xalloc.h"
#include "doctor/checks.h"
#include "doctor/program.h"

#define INOTIFY	"/proc/sys/fs/inotify/"

/* Fewer watches are reported: --tree uses one for each directory, and Debian's default is 16384 or more. */
enum { WATCHES_MIN = 8192 };

/* The number in PATH, or -1. */
static long
number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static void
test_inotify(struct doctor_run *x)
{
	const long instances = number_in(INOTIFY "max_user_instances");
	const long watches = number_in(INOTIFY "max_user_watches");
	const size_t used = fd_owners_count_inotify(geteuid());

	if (instances < 0 || watches < 0) {
		doctor_warn(x, INOTIFY, "no such directory: this kernel has no inotify");
		doctor_advise(x, "rejoin-watch --poll");
		return;
	}
	if ((long)used * 10 >= instances * 9) {
		doctor_warn(x, INOTIFY "max_user_instances", "%zu of %ld are used", used, instances);
		doctor_advise(x, "sysctl fs.inotify.max_user_instances=%ld", instances * 4);
	} else if (watches < WATCHES_MIN) {
		doctor_warn(x, INOTIFY "max_user_watches", "%ld may be too few: --tree uses one for each directory",
		    watches);
		doctor_advise(x, "sysctl fs.inotify.max_user_watches=65536");
	} else {
		doctor_ok(x, INOTIFY, "%zu of %ld instances are used, %ld watches", used, instances, watches);
	}
}

static void
test_inotifywait(struct doctor_run *x)
{
	_cleanup_free_ char *file = program_find("inotifywait");

	if (file) {
		doctor_ok(x, file, "is installed, for rejoin-watch --tree");
		return;
	}
	doctor_warn(x, "inotifywait", "is not installed: rejoin-watch --tree polls");
	doctor_advise(x, "apt-get install inotify-tools");
}

/* A warning only: a wrong clock makes the times of logs and records wrong, and the tools work. */
static void
test_clock(struct doctor_run *x)
{
	struct timex t = { .modes = 0 };

	if (adjtimex(&t) == TIME_ERROR || t.status & STA_UNSYNC) {
		doctor_warn(x, "clock", "is not synchronized: logs of several machines may not be in order");
		doctor_advise(x, "systemctl enable --now systemd-timesyncd; or correct the difference with "
		    "rejoin-log --offset");
	} else {
		doctor_ok(x, "clock", "is synchronized");
	}
}

void
limits_check_run(struct doctor_run *x)
{
	test_inotify(x);
	test_inotifywait(x);
	test_clock(x);
}
