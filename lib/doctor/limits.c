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

/* What a watcher of trees should find: a default of Debian's is 16384 at the least. */
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
test_inotify(struct exam *x)
{
	const long instances = number_in(INOTIFY "max_user_instances");
	const long watches = number_in(INOTIFY "max_user_watches");
	const size_t used = fd_owners_count_inotify(geteuid());

	if (instances < 0 || watches < 0) {
		exam_warn(x, INOTIFY, "is not there: the kernel tells of no changes of files");
		exam_advise(x, "rejoin-watch --poll");
		return;
	}
	if ((long)used * 10 >= instances * 9) {
		exam_warn(x, INOTIFY "max_user_instances", "%zu of %ld are used", used, instances);
		exam_advise(x, "sysctl fs.inotify.max_user_instances=%ld", instances * 4);
	} else if (watches < WATCHES_MIN) {
		exam_warn(x, INOTIFY "max_user_watches", "%ld are few: one is used for each directory",
		    watches);
		exam_advise(x, "sysctl fs.inotify.max_user_watches=65536");
	} else {
		exam_ok(x, INOTIFY, "%zu of %ld instances are used, %ld watches", used, instances, watches);
	}
}

static void
test_inotifywait(struct exam *x)
{
	_cleanup_free_ char *file = program_find("inotifywait");

	if (file) {
		exam_ok(x, file, "is there, for rejoin-watch --tree");
		return;
	}
	exam_warn(x, "inotifywait", "is not there: rejoin-watch --tree looks at intervals");
	exam_advise(x, "apt-get install inotify-tools");
}

/* A clock that nobody sets makes the times of logs and records wrong, not the tools. */
static void
test_clock(struct exam *x)
{
	struct timex t = { .modes = 0 };

	if (adjtimex(&t) == TIME_ERROR || t.status & STA_UNSYNC) {
		exam_warn(x, "clock", "is not synchronised: logs of several machines may not be in order");
		exam_advise(x, "systemctl enable --now systemd-timesyncd; rejoin-log --offset says how far "
		    "they are apart");
	} else {
		exam_ok(x, "clock", "is synchronised");
	}
}

void
limits_test(struct exam *x)
{
	test_inotify(x);
	test_inotifywait(x);
	test_clock(x);
}
