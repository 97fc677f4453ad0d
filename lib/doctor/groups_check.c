#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/access.h"
#include "base/xalloc.h"
#include "doctor/checks.h"

/* Is GID among the groups of this process? */
static bool
is_in(gid_t gid)
{
	int n = getgroups(0, NULL);
	_cleanup_free_ gid_t *list = xcalloc(n > 0 ? (size_t)n : 1, sizeof *list);

	if (getegid() == gid)
		return true;
	n = getgroups(n, list);
	for (int i = 0; i < n; i++)
		if (list[i] == gid)
			return true;
	return false;
}

/* Is USER a member of GROUP in the group database, from the next login on? */
static bool
is_member(const char *group, const char *user)
{
	struct group *gr = getgrnam(group);

	for (char **m = gr ? gr->gr_mem : NULL; m && *m; m++)
		if (strcmp(*m, user) == 0)
			return true;
	return false;
}

/* Ask the kernel: an ACL or a directory above may deny what the mode allows. */
static void
test_access(struct doctor_run *x, const char *caller)
{
	const char *path = x->profile->retry.path;
	struct fail f;

	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0) {
		doctor_ok(x, caller, "may write to %s", path);
	} else if (errno == EACCES) {
		access_explain(path, &f);
		doctor_fail(x, caller, "%s", f.text);
		if (*f.hint)
			doctor_advise(x, "%s", f.hint);
	} else if (errno == ENOENT) {
		doctor_ok(x, caller, "has the groups that are needed; %s does not exist", path);
	} else {
		doctor_fail(x, caller, "%s: %s", path, strerror(errno));
		doctor_advise(x, "rejoin-doctor fifo: it checks the pipe and the directories above it");
	}
}

void
groups_check_run(struct doctor_run *x)
{
	const struct profile *p = x->profile;
	struct passwd *pw = getpwuid(geteuid());
	_cleanup_free_ char *caller = pw ? xstrdup(pw->pw_name) :
	    xasprintf("uid %ju", (uintmax_t)geteuid());

	if (geteuid() == 0) {
		doctor_ok(x, caller, "may do everything");
	} else if (p->group && p->gid == (gid_t)-1) {
		doctor_fail(x, caller, "no such group: '%s'", p->group);
		doctor_advise(x, "install the agent, or correct [agent] group in %s", p->file);
	} else if (geteuid() == p->uid || p->gid == (gid_t)-1 || is_in(p->gid)) {
		if (p->retry.method == RETRY_FIFO)
			test_access(x, caller);
		else
			doctor_ok(x, caller, "has the groups that %s requires", p->name);
	} else if (is_member(p->group, caller)) {
		doctor_fail(x, caller, "became a member of %s after it logged in", p->group);
		doctor_advise(x, "log in again, or for one command: sg %s -c '...'", p->group);
	} else {
		doctor_fail(x, caller, "is not a member of the group %s", p->group);
		doctor_advise(x, "as root: usermod -aG %s %s, and log in again", p->group, caller);
	}
}
