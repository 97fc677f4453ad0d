/*
 * rejoin-tmpfiles [--here] [DIR [NAME...]] - write a tmpfiles.d(5) file for each profile that
 * has a group, so that the directory of its pending requests exists after a boot.
 *
 * Without it that directory is made by the first request of root, and requests of
 * the agent's own user are lost before.  DIR is /etc/tmpfiles.d by default, NAME
 * all profiles.  The file is DIR/rejoin-NAME.conf; that of a profile without a
 * group, or of a profile that is gone, is removed if this program wrote it.
 *
 * The group need not exist yet: systemd-tmpfiles(8) then skips the line, with an
 * error in the journal at each boot.  With --here a profile counts as one without
 * a group where that is not a group of this machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/xalloc.h"

enum { FILE_MAX = 65536 };

static const char written[] = "# Written by rejoin-tmpfiles";

/* Remove PATH if this program wrote it. */
static int
remove_ours(const char *path, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (file_load(path, FILE_NOFOLLOW, FILE_MAX, &b, f) < 0 ||
	    strncmp(b.s, written, sizeof written - 1) != 0)
		return 0;
	return unlink(path) < 0 && errno != ENOENT ? fail_errno(f, errno, "%s", path) : 0;
}

static int
write_for(const char *dir, const char *name, bool here, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/rejoin-%s.conf", dir, name);
	_cleanup_profile_ struct profile *p = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = profile_load_as_written(name, &p, f);

	if (r < 0)
		return r;
	if (!p->group || (here && !getgrnam(p->group)))
		return remove_ours(path, f);
	buf_printf(&b, "%s for the profile %s: its pending retry requests.\n"
	    "d /run/rejoin/retry/%s\t2770 root %s -\n", written, name, name, p->group);
	r = file_replace(path, b.s, b.len, 0644, 0);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

/* Remove the files of profiles that are not among NAMES any more. */
static int
remove_stale(const char *dir, char *const *names, struct fail *f)
{
	_cleanup_free_ char *pattern = xasprintf("%s/rejoin-*.conf", dir);
	int r = 0;
	glob_t g;

	if (glob(pattern, 0, NULL, &g) != 0)
		return 0;
	for (size_t i = 0; i < g.gl_pathc && r == 0; i++) {
		const char *base = g.gl_pathv[i] + strlen(dir) + strlen("/rejoin-");
		const size_t n = strlen(base) - strlen(".conf");
		bool known = false;

		for (char *const *k = names; *k && !known; k++)
			known = strlen(*k) == n && memcmp(*k, base, n) == 0;
		if (!known)
			r = remove_ours(g.gl_pathv[i], f);
	}
	globfree(&g);
	return r;
}

int
main(int argc, char *argv[])
{
	const bool here = argc > 1 && strcmp(argv[1], "--here") == 0;
	char **operands = argv + 1 + here;
	const char *dir = *operands ? *operands : "/etc/tmpfiles.d";
	char **all = *operands && operands[1] ? NULL : profile_names();
	enum exit_status status = EXIT_OK;
	struct fail f;

	diag_init(argv);
	for (char *const *name = all ? all : operands + 1; *name; name++)
		if (write_for(dir, *name, here, &f) < 0) {
			fail_tell(&f, NULL);
			status = f.status;
		}
	if (all && remove_stale(dir, all, &f) < 0) {
		fail_tell(&f, NULL);
		status = f.status;
	}
	xfree_strv(all);
	finish(status);
}
