#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/access.h"
#include "base/dirs.h"
#include "base/uidname.h"
#include "base/xalloc.h"

/* Is PATH in the runtime directory of an ordinary user, which has to be that user's? */
static bool
is_in_session(const char *path)
{
	const size_t n = strlen(dirs_runtime());

	return dirs_runtime_is_users() && strncmp(path, dirs_runtime(), n) == 0 &&
	    (path[n] == '\0' || path[n] == '/');
}

/* PATH itself, or the directory in which it cannot be made.  To be freed. */
static char *
find_denied(const char *path)
{
	char *at = xstrdup(path), *slash;
	struct stat st;

	while (lstat(at, &st) < 0 && (slash = strrchr(at, '/')))
		slash[slash == at && slash[1] ? 1 : 0] = '\0';
	return at;
}

static void
set_advice(const struct stat *st, const char *owner, const char *group, struct fail *f)
{
	const size_t n = strlen(f->text);

	if (!(st->st_mode & S_IWGRP))
		snprintf(f->text + n, sizeof f->text - n, "; run as %s%s%s", st->st_uid ? owner : "root",
		    st->st_uid ? " or root" : "", S_ISFIFO(st->st_mode) ?
		    ", or let its group write (chmod g+w; UMask=0007 in the agent's unit)" : "");
	else
		snprintf(f->text + n, sizeof f->text - n, "; run as root, or in that group (sg %s -c ...)", group);
}

int
access_explain(const char *path, struct fail *f)
{
	char owner[UIDNAME_MAX], group[UIDNAME_MAX], user[UIDNAME_MAX], ours[UIDNAME_MAX];
	_cleanup_free_ char *denied = find_denied(path);
	struct stat st;
	int r;

	if (lstat(denied, &st) < 0)
		return fail_errno(f, EACCES, "%s", path);
	uidname_user(st.st_uid, owner);
	uidname_group(st.st_gid, group);
	uidname_user(geteuid(), user);
	r = fail_set(f, EXIT_DENIED, "%s: permission denied: mode %04o, owner %s, group %s, but "
	    "the caller is %s with the effective group %s", denied, st.st_mode & 07777, owner,
	    group, user, uidname_group(getegid(), ours));
	if (is_in_session(path))
		fail_hint(f, "log in as %s, which makes /run/user/%ju, or set XDG_RUNTIME_DIR to a directory of %s",
		    user, (uintmax_t)geteuid(), user);
	else
		set_advice(&st, owner, group, f);
	return r;
}
