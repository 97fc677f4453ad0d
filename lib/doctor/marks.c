#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/fd_owners.h"
#include "agent/status.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"
#include "doctor/checks.h"
#include "doctor/repair.h"
#include "retry/pending.h"

/* What marks_fix() can repair. */
enum { GROUP_CANNOT_MARK = 1, DELIVERER_DIED };

enum { HOLDERS_SHOWN = 4, OLD_MS = 60000 };

static bool
is_trusted_owner(const struct pending *m, uid_t uid)
{
	return uid == 0 || uid == geteuid() || uid == m->uid;
}

/* The directory: false where rejoin-retry would refuse it. */
static bool
test_directory(struct exam *x, const struct pending *m, const struct stat *st)
{
	if (!S_ISDIR(st->st_mode)) {
		exam_fail(x, m->dir, "is not a directory");
		exam_advise(x, "remove it: rejoin-retry makes it anew");
		return false;
	}
	if (!is_trusted_owner(m, st->st_uid)) {
		exam_fail(x, m->dir, "belongs to uid %ju, who is neither root nor the caller nor the agent",
		    (uintmax_t)st->st_uid);
		exam_advise(x, "see what is in it, and remove it: rejoin-retry makes it anew");
		return false;
	}
	if (st->st_mode & S_IWOTH || (st->st_mode & S_IWGRP && st->st_gid != m->gid &&
	    st->st_gid != 0)) {
		exam_fail(x, m->dir, "others may write in it (mode %04o, gid %ju)", st->st_mode & 07777,
		    (uintmax_t)st->st_gid);
		exam_advise(x, "see what is in it, and remove it: rejoin-retry makes it anew");
		return false;
	}
	if (m->gid != (gid_t)-1 && (st->st_gid != m->gid || !(st->st_mode & S_IWGRP))) {
		exam_warn(x, m->dir, "the group %s cannot mark requests in it (mode %04o)",
		    x->profile->group, st->st_mode & 07777);
		exam_advise(x, "chgrp %s %s; chmod 2770 %s, or rejoin-doctor --fix marks",
		    x->profile->group, m->dir, m->dir);
		exam_offer_fix(x, GROUP_CANNOT_MARK);
	}
	return true;
}

/* Does a process deliver just now?  1, 0, or -1 where that cannot be seen. */
static int
test_lock(struct exam *x, const struct pending *m)
{
	_cleanup_fd_ int fd = open(m->lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct fd_owner holders[HOLDERS_SHOWN];
	size_t hidden, n;
	int held;

	if (fd < 0 && errno == ENOENT)
		return 0;
	held = fd < 0 ? -errno : lock_is_held(fd);
	if (held < 0) {
		exam_warn(x, m->lock, "cannot be looked at: %s", strerror(-held));
		exam_advise(x, "look as root");
		return -1;
	}
	if (!held)
		return 0;
	n = fd_owners_find(fd, holders, HOLDERS_SHOWN, &hidden);
	for (size_t i = 0; i < n && i < HOLDERS_SHOWN; i++)
		if (holders[i].locks) {
			exam_ok(x, m->lock, "held by process %d (%s), which delivers",
			    holders[i].pid, holders[i].command);
			return 1;
		}
	exam_ok(x, m->lock, "held: somebody delivers");
	return 1;
}

static int64_t
age_ms(const struct stat *st)
{
	return clock_wall_ms() - ((int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000);
}

static void
advise_to_drain(struct exam *x)
{
	struct status s;
	struct fail f;

	if (status_read(x->profile, &s, &f) == 0 && s.running == 0)
		exam_advise(x, "start the agent; then rejoin-retry -A %s --drain, or for good systemctl "
		    "enable --now rejoin-retry@%s.path", x->profile->name, x->profile->name);
	else
		exam_advise(x, "rejoin-retry -A %s --drain, or for good systemctl enable --now "
		    "rejoin-retry@%s.path", x->profile->name, x->profile->name);
}

/* One of the marks; true where it is there. */
static bool
test_mark(struct exam *x, const struct pending *m, const char *path, int held)
{
	struct stat st;
	int64_t age;

	if (lstat(path, &st) < 0)
		return false;
	age = age_ms(&st);
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1 || (!is_trusted_owner(m, st.st_uid) &&
	    (m->gid == (gid_t)-1 || st.st_gid != m->gid))) {
		exam_fail(x, path, "is not a mark that rejoin-retry made (mode %06o, uid %ju)",
		    st.st_mode, (uintmax_t)st.st_uid);
		exam_advise(x, "see who made it, and remove it");
	} else if (held > 0) {
		exam_ok(x, path, "seen to by the process that delivers, for %" PRId64 " s", age / 1000);
	} else if (path == m->sending && held == 0) {
		exam_warn(x, path, "who was to deliver it died, %" PRId64 " s ago", age / 1000);
		advise_to_drain(x);
		exam_offer_fix(x, DELIVERER_DIED);
	} else if (age > OLD_MS) {
		exam_warn(x, path, "asked for %" PRId64 " s ago, and nobody delivers it", age / 1000);
		advise_to_drain(x);
	} else {
		exam_ok(x, path, "asked for %" PRId64 " s ago", age / 1000);
	}
	return true;
}

void
marks_test(struct exam *x)
{
	_cleanup_pending_ struct pending m;
	struct stat st;
	bool pending, sending;
	int held;

	pending_init(&m, x->profile);
	if (lstat(m.dir, &st) < 0) {
		if (errno == ENOENT) {
			exam_ok(x, m.dir, "no request was ever marked");
		} else {
			exam_warn(x, m.dir, "cannot be looked at: %s", strerror(errno));
			exam_advise(x, "look as root, or as a member of %s",
			    x->profile->group ? x->profile->group : "the agent's group");
		}
		return;
	}
	if (!test_directory(x, &m, &st))
		return;
	held = test_lock(x, &m);
	pending = test_mark(x, &m, m.pending, held);
	sending = test_mark(x, &m, m.sending, held);
	if (!pending && !sending && held == 0)
		exam_ok(x, m.dir, "no request is waiting");
}

/* Under the lock: who delivers has a "sending" of its own. */
static int
put_back(const struct pending *m, struct buf *done, struct fail *why)
{
	_cleanup_fd_ int lock = pending_open_lock(m, why);
	int r = lock < 0 ? lock : lock_try(lock);

	if (lock < 0)
		return lock;
	if (r < 0)
		return fail_errno(why, r, "%s", m->lock);
	pending_unclaim(m);
	buf_puts(done, "marked it as pending again, for the next delivery");
	return 0;
}

int
marks_fix(struct exam *x, const struct finding *f, struct buf *done, struct fail *why)
{
	_cleanup_pending_ struct pending m;
	const struct repair r = { .type = S_IFDIR, .uid = (uid_t)-1, .gid = x->profile->gid,
	    .add = S_ISGID | S_IRWXU | S_IRWXG, .remove = S_IRWXO };

	pending_init(&m, x->profile);
	return f->fault == DELIVERER_DIED ? put_back(&m, done, why) :
	    repair_file(m.dir, &r, done, why);
}
