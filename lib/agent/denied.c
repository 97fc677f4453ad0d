#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/denied.h"
#include "base/xalloc.h"

enum { NAME = 64 };

static char *
user_name(uid_t uid, char text[NAME])
{
	struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(text, NAME, "%s", pw->pw_name);
	else
		snprintf(text, NAME, "%ju", (uintmax_t)uid);
	return text;
}

static char *
group_name(gid_t gid, char text[NAME])
{
	struct group *gr = getgrgid(gid);

	if (gr)
		snprintf(text, NAME, "%s", gr->gr_name);
	else
		snprintf(text, NAME, "%ju", (uintmax_t)gid);
	return text;
}

int
denied_explain(const char *path, struct fail *f)
{
	char owner[NAME], group[NAME], user[NAME], ours[NAME], advice[2 * NAME + 80];
	struct stat st;

	if (lstat(path, &st) < 0) {
		_cleanup_free_ char *copy = xstrdup(path);
		const char *dir = dirname(copy);

		/* it is the directory that kept us out, or in which it cannot be made */
		return strcmp(dir, path) == 0 ? fail_errno(f, EACCES, "%s", path) :
		    denied_explain(dir, f);
	}
	user_name(st.st_uid, owner);
	group_name(st.st_gid, group);
	if (!(st.st_mode & S_IWGRP))
		snprintf(advice, sizeof advice, "run as %s%s%s", st.st_uid ? owner : "root",
		    st.st_uid ? " or root" : "", S_ISFIFO(st.st_mode) ?
		    ", or let its group write (chmod g+w; UMask=0007 in the agent's unit)" : "");
	else
		snprintf(advice, sizeof advice, "run as root, or in that group (sg %s -c ...)",
		    group);
	return fail_set(f, EXIT_DENIED, "%s: permission denied: mode %04o, owner %s, group %s, but "
	    "the caller is %s with the effective group %s; %s", path, st.st_mode & 07777, owner,
	    group, user_name(geteuid(), user), group_name(getegid(), ours), advice);
}
