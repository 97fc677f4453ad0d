#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/trust.h"
#include "base/xalloc.h"
#include "task/storedir.h"

enum { STORE_FILE_MAX = 4096 };

static int
load_id(const char *dir, const char *boot, struct hlc *clock, int64_t *id, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/store", dir);
	_cleanup_json_ struct json v = JSON_ABSENT, n = JSON_ABSENT;
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = json_load(path, FILE_NOFOLLOW, STORE_FILE_MAX, &v, f);

	n = json_get(v, "id");
	if (r == 0 && (!json_get_whole(n, id) || *id <= 0))
		return fail_set(f, EXIT_TROUBLE, "%s: is damaged", path);
	if (r != -ENOENT) {
		hlc_see(clock, *id);
		return r;
	}
	*id = hlc_next(clock, clock_wall_ms());
	buf_printf(&b, "{\"id\":%jd,\"boot\":\"%s\"}\n", (intmax_t)*id, boot);
	r = file_replace(path, b.s, b.len, 0600, FILE_DURABLE);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

/* A link leads to tasks that are not this agent's, and no directory is made through one. */
static int
refuse_link(const char *dir, struct fail *f)
{
	fail_set(f, EXIT_DENIED, "%s: is a symbolic link", dir);
	fail_hint(f, "move the directory there, or mount it there (mount --bind)");
	return -EPERM;
}

int
storedir_make(const char *dir, struct fail *f)
{
	struct stat st;
	int r;

	/* what is wrong with it otherwise is found when it is made */
	if (lstat(dir, &st) == 0 && S_ISLNK(st.st_mode))
		return refuse_link(dir, f);
	r = file_make_dirs(dir, 0700);
	if (r < 0)
		return fail_errno(f, r, "%s", dir);
	r = trust_check_dir(dir, (gid_t)-1, f);
	if (r < 0)
		return r;
	/* stricter: that of root is no directory of another user's agent */
	if (lstat(dir, &st) < 0 || st.st_uid != geteuid() || st.st_mode & 022)
		return fail_set(f, EXIT_DENIED, "%s: is not the caller's, or others can write there", dir);
	return 0;
}

static int
lock_directory(const char *dir, int *lock_fd, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/.lock", dir);
	int r = storedir_make(dir, f);

	if (r < 0)
		return r;
	*lock_fd = lock_open(path, 0600);
	r = *lock_fd < 0 ? *lock_fd : lock_try(*lock_fd);
	if (r == -EAGAIN)
		return fail_set(f, EXIT_BUSY, "%s: another rejoin-taskd serves it", dir);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

int
storedir_open(const char *path, const char *boot, struct hlc *clock, int *lock_fd, int64_t *id, struct fail *f)
{
	int r = lock_directory(path, lock_fd, f);

	return r < 0 ? r : load_id(path, boot, clock, id, f);
}
