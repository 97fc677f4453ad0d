#include <errno.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/access.h"
#include "base/uidname.h"
#include "base/xalloc.h"

int
access_explain(const char *path, struct fail *f)
{
	char owner[UIDNAME_MAX], group[UIDNAME_MAX], user[UIDNAME_MAX], ours[UIDNAME_MAX], advice[2 * UIDNAME_MAX + 80];
	struct stat st;

	if (lstat(path, &st) < 0) {
		_cleanup_free_ char *copy = xstrdup(path);
		const char *dir = dirname(copy);

		/* it is the directory that kept us out, or in which it cannot be made */
		return strcmp(dir, path) == 0 ? fail_errno(f, EACCES, "%s", path) :
		    access_explain(dir, f);
	}
	uidname_user(st.st_uid, owner);
	uidname_group(st.st_gid, group);
	if (!(st.st_mode & S_IWGRP))
		snprintf(advice, sizeof advice, "run as %s%s%s", st.st_uid ? owner : "root",
		    st.st_uid ? " or root" : "", S_ISFIFO(st.st_mode) ?
		    ", or let its group write (chmod g+w; UMask=0007 in the agent's unit)" : "");
	else
		snprintf(advice, sizeof advice, "run as root, or in that group (sg %s -c ...)",
		    group);
	return fail_set(f, EXIT_DENIED, "%s: permission denied: mode %04o, owner %s, group %s, but "
	    "the caller is %s with the effective group %s; %s", path, st.st_mode & 07777, owner,
	    group, uidname_user(geteuid(), user), uidname_group(getegid(), ours), advice);
}
