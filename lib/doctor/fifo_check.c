#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/fd_owners.h"
#include "agent/fifo.h"
#include "agent/process_view.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/uidname.h"
#include "base/xalloc.h"
#include "doctor/checks.h"
#include "doctor/repair.h"
#include "retry/pending.h"

/* What fifo_check_fix() can repair. */
enum { WRONG_GROUP = 1, OPEN_TO_OTHERS, GROUP_CANNOT_WRITE };

enum { OWNERS_SHOWN = 8 };

static const char *
type_name(mode_t mode)
{
	return S_ISREG(mode) ? "a regular file" : S_ISLNK(mode) ? "a symbolic link" :
	    S_ISDIR(mode) ? "a directory" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/* The owner that the profile names; without one, root or the caller. */
static bool
is_owner_right(const struct profile *p, const struct stat *st)
{
	return p->uid != (uid_t)-1 ? st->st_uid == p->uid :
	    st->st_uid == 0 || st->st_uid == geteuid();
}

/* The tools refuse to open a pipe with another owner or group, or open to others. */
static bool
test_owner(struct doctor_run *x, const struct stat *st)
{
	const struct profile *p = x->profile;
	const char *path = p->retry.path;
	char owner[UIDNAME_MAX], group[UIDNAME_MAX];

	if (!is_owner_right(p, st)) {
		doctor_fail(x, path, "is owned by %s, not by %s", uidname_user(st->st_uid, owner),
		    p->user ? p->user : "root or the caller");
		doctor_advise(x, "find out what created it; then chown %s %s, or correct [agent] user in %s",
		    p->user ? p->user : "root", path, p->file);
		return false;
	}
	if (p->gid != (gid_t)-1 && st->st_gid != p->gid) {
		doctor_fail(x, path, "has the group %s, not %s", uidname_group(st->st_gid, group),
		    p->group);
		doctor_advise(x, "chgrp %s %s, or rejoin-doctor --fix fifo", p->group, path);
		doctor_offer_fix(x, WRONG_GROUP);
		return false;
	}
	if (!(st->st_mode & (S_IWOTH | S_IROTH)))
		return true;
	if (st->st_mode & S_IWOTH)
		doctor_fail(x, path, "every user may write to it (mode %04o)", st->st_mode & 07777);
	else
		doctor_warn(x, path, "every user may read it, and so steal requests (mode %04o)",
		    st->st_mode & 07777);
	doctor_advise(x, "chmod o= %s, or rejoin-doctor --fix fifo", path);
	doctor_offer_fix(x, OPEN_TO_OTHERS);
	return false;
}

/*
 * An agent creates it with 0660, and a umask of 022 clears the group's write bit.
 * A failure if that denies the caller, else a warning.
 */
static bool
test_mode(struct doctor_run *x, const struct stat *st)
{
	const struct profile *p = x->profile;
	const char *path = p->retry.path;

	if (p->gid == (gid_t)-1 || st->st_mode & S_IWGRP)
		return true;
	if (geteuid() == 0 || geteuid() == st->st_uid)
		doctor_warn(x, path, "mode %04o: only %s and root can write to it, the group %s cannot",
		    st->st_mode & 07777, p->user ? p->user : "its owner", p->group);
	else
		doctor_fail(x, path, "mode %04o: only %s and root can write to it, the group %s cannot",
		    st->st_mode & 07777, p->user ? p->user : "its owner", p->group);
	doctor_advise(x, "UMask=0007 in a drop-in of %s, or else after each of its starts chmod g+w %s "
	    "or rejoin-doctor --fix fifo", p->unit ? p->unit : "the agent's unit", path);
	doctor_offer_fix(x, GROUP_CANNOT_WRITE);
	return false;
}

static void
test_directory(struct doctor_run *x)
{
	_cleanup_free_ char *copy = xstrdup(x->profile->retry.path);
	const char *dir = dirname(copy);
	struct stat st;

	if (stat(dir, &st) < 0 || !(st.st_mode & S_IWOTH) || st.st_mode & S_ISVTX)
		return;
	doctor_fail(x, dir, "every user may replace the pipe in it (mode %04o)", st.st_mode & 07777);
	doctor_advise(x, "chmod o-w %s", dir);
}

static void
report_no_reader(struct doctor_run *x)
{
	doctor_fail(x, x->profile->retry.path, "has no reader");
	doctor_advise(x, "start the agent; if it is running, its log says why it closed its pipe");
}

/* A child that inherited the descriptor is not a second reader. */
static bool
is_inherited(const struct fd_owner *h, const struct fd_owner all[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].pid == h->parent && all[i].reads)
			return true;
	return false;
}

/* Find the readers without opening the pipe: an agent sees that as a writer that comes and goes. */
static void
test_readers(struct doctor_run *x)
{
	const char *path = x->profile->retry.path;
	_cleanup_fd_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct fd_owner owners[OWNERS_SHOWN];
	size_t hidden, found = fd_owners_find(fd, owners, OWNERS_SHOWN, &hidden), readers = 0;
	const size_t n = found < OWNERS_SHOWN ? found : OWNERS_SHOWN;
	const enum process_view view = process_view_read();

	for (size_t i = 0; i < n; i++) {
		if (!owners[i].reads || is_inherited(&owners[i], owners, n))
			continue;
		readers++;
		doctor_ok(x, path, "%s process %d (%s)", owners[i].waits ?
		    "will be read, as soon as there is a writer, by" : "read by",
		    owners[i].pid, owners[i].command);
	}
	if (readers > 1) {
		doctor_warn(x, path, "%zu processes read it: each gets a part of the requests", readers);
		doctor_advise(x, "stop all but the agent");
	} else if (readers == 0 && hidden > 0) {
		doctor_warn(x, path, "it is unknown whether it has a reader: %zu processes cannot be "
		    "inspected", hidden);
		doctor_advise(x, "run rejoin-doctor as root, or rejoin-doctor --probe fifo");
	} else if (readers == 0 && view != PROCESS_VIEW_ALL) {
		doctor_warn(x, path, "it is unknown whether it has a reader: %s", process_view_limit(view));
		doctor_advise(x, "run rejoin-doctor %s, or rejoin-doctor --probe fifo",
		    view == PROCESS_VIEW_OWN ? "as root" : "outside the container");
	} else if (readers == 0) {
		report_no_reader(x);
	}
}

static void
report_refused(struct doctor_run *x, const struct fail *f)
{
	doctor_fail_as(x, x->profile->retry.path, f);
	doctor_advise(x, "%s", *f->hint ? f->hint : "run the doctor as root, or as a member of the agent's group");
}

/* Open it as a request does, under the retry lock. */
static void
probe_pipe(struct doctor_run *x)
{
	const struct profile *p = x->profile;
	_cleanup_pending_ struct pending m;
	_cleanup_fd_ int lock = -1, fd = -1;
	struct fail f;

	pending_init(&m, p);
	if (pending_open(&m, &f) < 0 || (lock = pending_open_lock(&m, &f)) < 0) {
		doctor_fail_as(x, m.lock, &f);
		doctor_advise(x, "%s", *f.hint ? f.hint : "rejoin-doctor marks: it checks the directory of requests");
		return;
	}
	if (lock_try(lock) < 0) {
		doctor_warn(x, p->retry.path, "not probed: a request is being delivered");
		return;
	}
	fd = fifo_open(p, &f);
	if (fd < 0 && f.status == EXIT_ABSENT)
		report_no_reader(x);
	else if (fd < 0)
		report_refused(x, &f);
	else
		doctor_ok(x, p->retry.path, "opened for a request, and nothing written: it has a reader and "
		    "%d bytes in it", fifo_unread(fd));
}

void
fifo_check_run(struct doctor_run *x)
{
	const struct profile *p = x->profile;
	const char *path = p->retry.path;
	struct stat st;

	if (p->retry.method != RETRY_FIFO) {
		doctor_ok(x, p->name, "has no command pipe");
		return;
	}
	if (lstat(path, &st) < 0 && errno == ENOENT) {
		doctor_fail(x, path, "no such file");
		doctor_advise(x, "start the agent, which creates it, or correct [retry] path in %s",
		    p->file);
		return;
	}
	if (lstat(path, &st) < 0) {
		doctor_warn(x, path, "cannot be read: %s", strerror(errno));
		doctor_advise(x, "run rejoin-doctor as root");
		return;
	}
	if (!S_ISFIFO(st.st_mode)) {
		doctor_fail(x, path, "is %s, not a FIFO", type_name(st.st_mode));
		doctor_advise(x, "stop the agent, remove the file, and start the agent, which creates the pipe");
		return;
	}
	test_directory(x);
	if (test_owner(x, &st) && test_mode(x, &st))
		doctor_ok(x, path, "mode %04o and owner are correct", st.st_mode & 07777);
	if (x->probe)
		probe_pipe(x);
	else
		test_readers(x);
}

int
fifo_check_fix(struct doctor_run *x, const struct finding *f, struct buf *done, struct fail *why)
{
	const struct profile *p = x->profile;
	struct repair r = { .type = S_IFIFO, .uid = p->uid, .gid = (gid_t)-1, .remove = S_IRWXO };

	if (f->fault == WRONG_GROUP)
		r.gid = p->gid;
	if (f->fault != OPEN_TO_OTHERS)
		r.add = S_IWGRP | S_IRGRP;
	return repair_file(f->object, &r, done, why);
}
