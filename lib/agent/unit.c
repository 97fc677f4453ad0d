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

/* The first process of the list FILE by its start; false where it lists none. */
static bool
first_of(const char *file, pid_t *pid)
{
	FILE *list = fopen(file, "re");
	uint64_t start, first = UINT64_MAX;
	intmax_t n;

	if (!list)
		return false;
	while (fscanf(list, "%jd", &n) == 1)
		if (incarnation_start((pid_t)n, &start) == 0 && start < first) {
			first = start;
			*pid = (pid_t)n;
		}
	fclose(list);
	return first != UINT64_MAX;
}

static bool
cgroup_find_unit(const char *root, const char *below, const char *unit, pid_t *pid)
{
	_cleanup_free_ char *pattern = xasprintf("%s/%s/%s/cgroup.procs", root, below, unit);
	bool found = false;
	glob_t g;

	if (glob(pattern, GLOB_NOSORT, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc && !found; i++)
			found = first_of(g.gl_pathv[i], pid);
	globfree(&g);
	return found;
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
	for (size_t i = 0; i < sizeof below / sizeof *below; i++)
		if (cgroup_find_unit(root ? root : "/sys/fs/cgroup", below[i], unit, pid))
			return 0;
	return root || access("/run/systemd/system", F_OK) == 0 ? -ESRCH : -ENODATA;
}
