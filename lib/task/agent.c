#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "task/agent.h"

enum { GROUPS_MAX = 256 };

bool
task_agent_is_admin(const struct task_agent *a, uid_t uid)
{
	const struct passwd *pw;
	gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX;

	if (uid == 0 || uid == geteuid())
		return true;
	pw = a->admin_group == (gid_t)-1 ? NULL : getpwuid(uid);
	if (!pw || getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (groups[i] == a->admin_group)
			return true;
	return false;
}

bool
task_agent_may_see(const struct task_agent *a, uid_t uid, const struct taskrecord *t)
{
	return t->owner == uid || task_agent_is_admin(a, uid);
}
