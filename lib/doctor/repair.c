#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "doctor/repair.h"

static int
change_group(int fd, gid_t gid, struct buf *done)
{
	struct group *gr = getgrgid(gid);

	if (fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if (gr)
		buf_printf(done, "set its group to %s", gr->gr_name);
	else
		buf_printf(done, "set its group to %ju", (uintmax_t)gid);
	return 0;
}

/* A descriptor of O_PATH has no fchmod(2). */
static int
change_mode(int fd, mode_t mode, struct buf *done)
{
	_cleanup_free_ char *path = xasprintf("/proc/self/fd/%d", fd);

	if (chmod(path, mode) < 0)
		return -errno;
	buf_printf(done, "%sset its mode to %04o", done->len ? ", " : "", mode);
	return 0;
}

int
repair_file(const char *path, const struct repair *r, struct buf *done, struct fail *f)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	mode_t mode;
	int e = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(f, errno, "%s", path);
	if ((st.st_mode & S_IFMT) != r->type)
		return fail_set(f, EXIT_DENIED, "%s: was replaced by a file of another type", path);
	if (r->uid != (uid_t)-1 ? st.st_uid != r->uid : st.st_uid != 0 && st.st_uid != geteuid())
		return fail_set(f, EXIT_DENIED, "%s: owned by uid %ju, which is not the expected owner", path,
		    (uintmax_t)st.st_uid);
	mode = ((st.st_mode & 07777) | r->add) & ~r->remove;
	if (r->gid != (gid_t)-1 && st.st_gid != r->gid)
		e = change_group(fd, r->gid, done);
	/* chown(2) may clear mode bits */
	if (e == 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) != mode)
		e = change_mode(fd, mode, done);
	return e < 0 ? fail_errno(f, e, "%s", path) : 0;
}
