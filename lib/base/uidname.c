#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>

#include "base/uidname.h"

const char *
uidname_user(uid_t uid, char text[UIDNAME_MAX])
{
	const struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(text, UIDNAME_MAX, "%s", pw->pw_name);
	else
		snprintf(text, UIDNAME_MAX, "%ju", (uintmax_t)uid);
	return text;
}

const char *
uidname_group(gid_t gid, char text[UIDNAME_MAX])
{
	const struct group *gr = getgrgid(gid);

	if (gr)
		snprintf(text, UIDNAME_MAX, "%s", gr->gr_name);
	else
		snprintf(text, UIDNAME_MAX, "%ju", (uintmax_t)gid);
	return text;
}
