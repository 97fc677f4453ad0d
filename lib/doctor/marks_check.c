#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/command.h"
#include "agent/fd_owners.h"
#include "agent/status.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"
#include "doctor/checks.h"
#include "doctor/repair.h"
#include "retry/pending.h"

/*
 * Checks pending requests.  The check is called "marks" after the file names that
 * it began with; that name is an operand of the tool and stays.
 */
/* What marks_check_fix() can repair. */
enum { GROUP_CANNOT_MARK = 1, DELIVERER_DIED, DIRECTORY_MISSING };

enum { OWNERS_SHOWN = 4, OLD_MS = 60000, HELPER_MS = 10000 };

static bool
is_trusted_owner(const struct pending *m, uid_t uid)
{
	return uid == 0 || uid == geteuid() || uid == m->uid;
}

/* Check the directory; false if rejoin-retry would refuse it. */
static bool
test_directory(struct doctor_run *x, const struct pending *m, const struct stat *st)
{
	if (!S_ISDIR(st->st_mode)) {
		doctor_fail(x, m->dir, "is not a directory");
		doctor_advise(x, "remove it; rejoin-retry creates it again");
		return false;
	}
	if (!is_trusted_owner(m, st->st_uid)) {
		doctor_fail(x, m->dir, "is owned by uid %ju, which is neither root nor the caller nor the agent",
		    (uintmax_t)st->st_uid);
		doctor_advise(x, "check its content and remove it; rejoin-retry creates it again");
		return false;
	}
	if (st->st_mode & S_IWOTH || (st->st_mode & S_IWGRP && st->st_gid != m->gid &&
	    st->st_gid != 0)) {
		doctor_fail(x, m->dir, "others may write in it (mode %04o, gid %ju)", st->st_mode & 07777,
		    (uintmax_t)st->st_gid);
		doctor_advise(x, "check its content and remove it; rejoin-retry creates it again");
		return false;
	}
	if (m->gid != (gid_t)-1 && (st->st_gid != m->gid || !(st->st_mode & S_IWGRP))) {
		doctor_warn(x, m->dir, "the group %s cannot record requests in it (mode %04o)",
		    x->profile->group, st->st_mode & 07777);
		doctor_advise(x, "chgrp %s %s; chmod 2770 %s, or rejoin-doctor --fix marks",
		    x->profile->group, m->dir, m->dir);
		doctor_offer_fix(x, GROUP_CANNOT_MARK);
	}
	return true;
}

/* 1 if a process holds the lock and so delivers, 0 if not, -1 if it is unknown. */
static int
test_lock(struct doctor_run *x, const struct pending *m)
{
	_cleanup_fd_ int fd = open(m->lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct fd_owner owners[OWNERS_SHOWN];
	size_t hidden, n;
	int held;

	if (fd < 0 && errno == ENOENT)
		return 0;
	held = fd < 0 ? -errno : lock_is_held(fd);
	if (held < 0) {
		doctor_warn(x, m->lock, "cannot be read: %s", strerror(-held));
		doctor_advise(x, "run rejoin-doctor as root");
		return -1;
	}
	if (!held)
		return 0;
	n = fd_owners_find(fd, owners, OWNERS_SHOWN, &hidden);
	for (size_t i = 0; i < n && i < OWNERS_SHOWN; i++)
		if (owners[i].locks) {
			if (owners[i].uid != 0 && owners[i].uid != geteuid() && owners[i].uid != m->uid) {
				doctor_fail(x, m->lock, "locked by process %d (%s) of uid %ju, so others coalesce with it",
				    owners[i].pid, owners[i].command, (uintmax_t)owners[i].uid);
				doctor_advise(x, "end that process; root's rejoin-retry delivers without the lock after "
				    "30 s");
			} else {
				doctor_ok(x, m->lock, "locked by process %d (%s), which delivers",
				    owners[i].pid, owners[i].command);
			}
			return 1;
		}
	doctor_ok(x, m->lock, "locked by a process that cannot be seen");
	return 1;
}

static int64_t
age_ms(const struct stat *st)
{
	return clock_wall_ms() - ((int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000);
}

static void
advise_to_drain(struct doctor_run *x)
{
	struct status s;
	struct fail f;

	if (status_read(x->profile, &s, &f) == 0 && s.running == 0)
		doctor_advise(x, "start the agent; then rejoin-retry -A %s --drain, or for good systemctl "
		    "enable --now rejoin-retry@%s.path", x->profile->name, x->profile->name);
	else
		doctor_advise(x, "rejoin-retry -A %s --drain, or for good systemctl enable --now "
		    "rejoin-retry@%s.path", x->profile->name, x->profile->name);
}

/* Check the request file PATH; true if it exists. */
static bool
test_request(struct doctor_run *x, const struct pending *m, const char *path, int held)
{
	struct stat st;
	int64_t age;

	if (lstat(path, &st) < 0)
		return false;
	age = age_ms(&st);
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1 || (!is_trusted_owner(m, st.st_uid) &&
	    (m->gid == (gid_t)-1 || st.st_gid != m->gid))) {
		doctor_fail(x, path, "is not a request that rejoin-retry recorded (mode %06o, uid %ju)",
		    st.st_mode, (uintmax_t)st.st_uid);
		doctor_advise(x, "find out what made it, and remove it");
	} else if (held > 0) {
		doctor_ok(x, path, "being delivered for %" PRId64 " s", age / 1000);
	} else if (path == m->sending && held == 0) {
		doctor_warn(x, path, "the process that delivered it exited %" PRId64 " s ago", age / 1000);
		advise_to_drain(x);
		doctor_offer_fix(x, DELIVERER_DIED);
	} else if (age > OLD_MS) {
		doctor_warn(x, path, "requested %" PRId64 " s ago, and not delivered", age / 1000);
		advise_to_drain(x);
	} else {
		doctor_ok(x, path, "requested %" PRId64 " s ago", age / 1000);
	}
	return true;
}

/* Requests for one instance have files of their own; one is named. */
static bool
test_instances(struct doctor_run *x, const struct pending *m, int held)
{
	_cleanup_free_ char *name = pending_find_instance(m);

	if (!name)
		return false;
	if (held > 0) {
		doctor_ok(x, m->dir, "a request for the instance %s is being delivered", name);
		return true;
	}
	doctor_warn(x, m->dir, "a request for the instance %s is not delivered", name);
	advise_to_drain(x);
	return true;
}

void
marks_check_run(struct doctor_run *x)
{
	_cleanup_pending_ struct pending m;
	struct stat st;
	bool pending, sending, instances;
	int held;

	pending_init(&m, x->profile);
	if (lstat(m.dir, &st) < 0) {
		if (errno == ENOENT && m.gid != (gid_t)-1) {
			doctor_warn(x, m.dir, "no such directory: the group %s cannot record the first request",
			    x->profile->group);
			doctor_advise(x, "rejoin-doctor --fix marks, as root: creates it now and at each boot");
			doctor_offer_fix(x, DIRECTORY_MISSING);
		} else if (errno == ENOENT) {
			doctor_ok(x, m.dir, "no request was ever recorded");
		} else {
			doctor_warn(x, m.dir, "cannot be read: %s", strerror(errno));
			doctor_advise(x, "run rejoin-doctor as root, or as a member of %s",
			    x->profile->group ? x->profile->group : "the agent's group");
		}
		return;
	}
	if (!test_directory(x, &m, &st))
		return;
	held = test_lock(x, &m);
	pending = test_request(x, &m, m.pending, held);
	sending = test_request(x, &m, m.sending, held);
	instances = test_instances(x, &m, held);
	if (!pending && !sending && !instances && held == 0)
		doctor_ok(x, m.dir, "no request is pending");
}

/* Under the lock, because a process that delivers has a file "sending", too. */
static int
make_pending_again(const struct pending *m, struct buf *done, struct fail *why)
{
	_cleanup_fd_ int lock = pending_open_lock(m, why);
	int r = lock < 0 ? lock : lock_try(lock);

	if (lock < 0)
		return lock;
	if (r < 0)
		return fail_errno(why, r, "%s", m->lock);
	pending_unclaim(m);
	buf_puts(done, "made it pending again, for the next delivery");
	return 0;
}

/* Create the directory now, and by tmpfiles.d at each boot. */
static int
make_directory(struct doctor_run *x, const struct pending *m, struct buf *done, struct fail *why)
{
	_cleanup_free_ char *helper = dirs_helper("rejoin-tmpfiles");
	const char *argv[] = { helper, "/etc/tmpfiles.d", x->profile->name, NULL };
	_cleanup_buf_ struct buf out = BUF_INIT;
	int r = pending_open(m, why);

	if (r < 0)
		return r;
	buf_puts(done, "created it");
	if (geteuid() != 0 || strcmp(dirs_runtime(), dirs_runtime_system()) != 0)
		return 0;
	r = command_capture(argv, HELPER_MS, &out, why);
	if (r > 0)
		return fail_set(why, EXIT_TROUBLE, "%s", why->text);
	if (r == 0)
		buf_printf(done, ", and wrote /etc/tmpfiles.d/rejoin-%s.conf", x->profile->name);
	return r;
}

int
marks_check_fix(struct doctor_run *x, const struct finding *f, struct buf *done, struct fail *why)
{
	_cleanup_pending_ struct pending m;
	const struct repair r = { .type = S_IFDIR, .uid = (uid_t)-1, .gid = x->profile->gid,
	    .add = S_ISGID | S_IRWXU | S_IRWXG, .remove = S_IRWXO };

	pending_init(&m, x->profile);
	if (f->fault == DIRECTORY_MISSING)
		return make_directory(x, &m, done, why);
	return f->fault == DELIVERER_DIED ? make_pending_again(&m, done, why) :
	    repair_file(m.dir, &r, done, why);
}
