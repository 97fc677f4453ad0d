#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>

#include "base/owner.h"

const char *
owner_user(uid_t uid, char text[OWNER_NAME])
{
	const struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(text, OWNER_NAME, "%s", pw->pw_name);
	else
		snprintf(text, OWNER_NAME, "%ju", (uintmax_t)uid);
	return text;
}

const char *
owner_group(gid_t gid, char text[OWNER_NAME])
{
	const struct group *gr = getgrgid(gid);

	if (gr)
		snprintf(text, OWNER_NAME, "%s", gr->gr_name);
	else
		snprintf(text, OWNER_NAME, "%ju", (uintmax_t)gid);
	return text;
}
