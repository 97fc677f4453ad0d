#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/uidname.h"
#include "base/xalloc.h"
#include "hub/hubdir.h"

enum { STATUS_MAX = 65536 };

char *
hubdir_path(const char *name)
{
	return xasprintf("%s/hub/%s", dirs_state(), name);
}

bool
hubdir_has(const char *path)
{
	_cleanup_free_ char *links = xasprintf("%s/hub/", dirs_state());
	const char *name = strncmp(path, links, strlen(links)) == 0 ? path + strlen(links) : NULL;
	const char *file = name ? strchr(name, '/') : NULL;

	return file && file > name && *name != '.' && file[1] && !strchr(file + 1, '/');
}

char *
hubdir_file(const char *dir, const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

/* PATH as a directory with MODE, of GROUP if that is one. */
static int
directory_make(const char *path, mode_t mode, gid_t group, struct fail *f)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail_errno(f, errno, "%s", path);
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return fail_set(f, EXIT_TROUBLE, "%s: is no directory", path);
	if (st.st_uid != geteuid())
		return 0;	/* the caller reports it */
	if (group != (gid_t)-1 && st.st_gid != group && chown(path, (uid_t)-1, group) < 0)
		return fail_errno(f, errno, "%s: chown", path);
	if ((st.st_mode & 07777) != mode && chmod(path, mode) < 0)
		return fail_errno(f, errno, "%s: chmod", path);
	return 0;
}

static int
check_owner(const char *dir, struct fail *f)
{
	char user[UIDNAME_MAX];
	struct stat st;

	if (lstat(dir, &st) < 0)
		return fail_errno(f, errno, "%s", dir);
	if (st.st_uid == geteuid())
		return 0;
	fail_set(f, EXIT_DENIED, "%s: belongs to %s", dir, uidname_user(st.st_uid, user));
	fail_hint(f, "run rejoin-hub as %s", user);
	return -EACCES;
}

int
hubdir_make(const char *dir, gid_t group, struct fail *f)
{
	static const struct { const char *name; mode_t mode; bool shared; } all[] = {
		{ "config", 02750, true }, { "calls", 02750, true }, { "in", 03730, true },
		{ "urgent", 0700, false }, { "bulk", 0700, false }, { "done", 0755, false },
	};
	_cleanup_free_ char *above = xstrdup(dir);
	int r;

	*strrchr(above, '/') = '\0';
	r = file_make_dirs(above, 0755);
	if (r < 0)
		return fail_errno(f, r, "%s", above);
	if (directory_make(dir, 0755, (gid_t)-1, f) < 0 || check_owner(dir, f) < 0)
		return -EACCES;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		_cleanup_free_ char *path = hubdir_file(dir, all[i].name);

		r = directory_make(path, all[i].mode, all[i].shared ? group : (gid_t)-1, f);
		if (r == 0)
			r = check_owner(path, f);
		if (r < 0)
			return r;
	}
	return 0;
}

int
hubdir_lock(const char *dir, struct fail *f)
{
	_cleanup_free_ char *path = hubdir_file(dir, "lock");
	_cleanup_json_ struct json status = JSON_ABSENT, pid = JSON_ABSENT;
	int fd = lock_open(path, 0600), r;
	struct fail ignored;
	int64_t n = 0;

	if (fd < 0)
		return fail_errno(f, fd, "%s", path);
	r = lock_try(fd);
	if (r == 0)
		return fd;
	close(fd);
	if (r != -EAGAIN)
		return fail_errno(f, r, "%s", path);
	(void)hubdir_status(dir, &status, &ignored);
	pid = json_get(status, "pid");
	if (json_get_whole(pid, &n) && n > 0)
		return fail_set(f, EXIT_BUSY, "%s: another rejoin-hub is running (pid %jd)", dir, (intmax_t)n);
	return fail_set(f, EXIT_BUSY, "%s: another rejoin-hub is running", dir);
}

/* Is the process that STATUS names still that process?  The lock cannot be opened by all. */
static bool
is_running(struct json status)
{
	_cleanup_json_ struct json pid = json_get(status, "pid");
	const char *incarnation = json_get_text(status, "incarnation");
	int64_t n;

	/* what cannot be read is taken to run, as the status says */
	return incarnation && json_get_whole(pid, &n) && n > 0 && n <= INT32_MAX && incarnation_is((pid_t)n, incarnation) != 0;
}

int
hubdir_status(const char *dir, struct json *out, struct fail *f)
{
	_cleanup_free_ char *path = hubdir_file(dir, "status");
	int r = json_load(path, FILE_NOFOLLOW, STATUS_MAX, out, f);

	if (r == -ENOENT)
		return fail_set(f, EXIT_ABSENT, "%s: no rejoin-hub has run yet", dir);
	if (r < 0)
		return r;
	json_set(out, "running", json_bool(is_running(*out)));
	return 0;
}

int
hubdir_check_running(const char *dir, struct fail *f)
{
	_cleanup_json_ struct json status = JSON_ABSENT;

	if (hubdir_status(dir, &status, f) < 0 && f->status != EXIT_ABSENT)
		return -EIO;
	if (is_running(status))
		return 0;
	fail_set(f, EXIT_ABSENT, "%s: no rejoin-hub is running", dir);
	fail_hint(f, "start it: systemctl start rejoin-hub@%s, or rejoin-hub -A %s run", strrchr(dir, '/') + 1,
	    strrchr(dir, '/') + 1);
	return -ENOENT;
}
