#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/unit.h"
#include "base/xalloc.h"

/* Does the error E say that there is no such group, or none that is the caller's to see? */
static bool
is_absence(int e)
{
	return e == ENOENT || e == ENOTDIR || e == ENODEV || e == EACCES;
}

/* Find the first process of the list FILE by its start: 1, 0 where it lists none, or an error. */
static int
first_started(const char *file, pid_t *pid)
{
	FILE *list = fopen(file, "re");
	uint64_t start, first = UINT64_MAX;
	intmax_t n;
	int r = 0;

	if (!list)
		return is_absence(errno) ? 0 : -errno;
	errno = 0;
	while (r == 0 && fscanf(list, "%jd", &n) == 1) {
		r = incarnation_start((pid_t)n, &start);
		if (r == 0 && start < first) {
			first = start;
			*pid = (pid_t)n;
		}
		if (r == -ESRCH)
			r = 0;
		errno = 0;
	}
	if (r == 0 && ferror(list) && !is_absence(errno))
		r = errno ? -errno : -EIO;
	fclose(list);
	return r < 0 ? r : first != UINT64_MAX;
}

/* glob(3) passes over a directory that it cannot open, and would find no group in it. */
static int
stop_at_error(const char *path, int e)
{
	(void)path;
	return !is_absence(e);
}

/* Find the first process of UNIT in the slices BELOW: 1, 0 for none, or an error. */
static int
cgroup_find_unit(const char *root, const char *below, const char *unit, pid_t *pid)
{
	_cleanup_free_ char *pattern = xasprintf("%s/%s/%s/cgroup.procs", root, below, unit);
	int r, found = 0;
	glob_t g;

	r = glob(pattern, GLOB_NOSORT, stop_at_error, &g);
	for (size_t i = 0; r == 0 && i < g.gl_pathc && found == 0; i++)
		found = first_started(g.gl_pathv[i], pid);
	globfree(&g);
	return r == 0 || r == GLOB_NOMATCH ? found : -EIO;
}

int
unit_main_pid(const char *root, const char *unit, pid_t *pid)
{
	/* a unit's own slice may be nested; the second is where cgroup v1 keeps names */
	static const char *const below[] = {
		"system.slice", "systemd/system.slice", "*.slice", "*.slice/*.slice",
		"*.slice/*.slice/*.slice", "user.slice/*/*/*.slice",
	};

	if (strpbrk(unit, "/*?[\\"))
		return -ESRCH;
	for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
		int r = cgroup_find_unit(root ? root : "/sys/fs/cgroup", below[i], unit, pid);

		if (r != 0)
			return r < 0 ? r : 0;
	}
	return root || access("/run/systemd/system", F_OK) == 0 ? -ESRCH : -ENODATA;
}
