#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/access.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/inotify.h"
#include "base/xalloc.h"
#include "ready/readiness.h"

enum { NOTE_MAX = 4096 };

/* --- the directories */

/* A member of a group that may write to the system's directory uses that, as its services do. */
static char *
runtime_directory(const char *name)
{
	char *dir = xasprintf("%s/ready/%s", dirs_runtime_system(), name);

	if (!secure_getenv("REJOIN_RUNTIME_DIR") && access(dir, W_OK | X_OK) == 0)
		return dir;
	free(dir);
	return xasprintf("%s/ready/%s", dirs_runtime(), name);
}

static char *
state_directory(const char *name)
{
	char *dir = xasprintf("/var/lib/rejoin/ready/%s", name);

	if (!secure_getenv("REJOIN_STATE_DIR") && access(dir, W_OK | X_OK) == 0)
		return dir;
	free(dir);
	return xasprintf("%s/ready/%s", dirs_state(), name);
}

static int
set_refused(const char *path, int err, struct fail *f)
{
	if (abs(err) == EACCES || abs(err) == EPERM)
		return access_explain(path, f);
	return fail_errno(f, err, "%s", path);
}

/* Create DIR and check its owner and mode.  *MODE is the mode of a lock in it. */
static int
open_dir(const char *dir, mode_t *mode, struct fail *f)
{
	struct stat st;
	int r = file_make_dirs(dir, 0755);

	if (r < 0)
		return set_refused(dir, r, f);
	if (lstat(dir, &st) < 0)
		return fail_errno(f, errno, "%s", dir);
	if (!S_ISDIR(st.st_mode))
		return fail_set(f, EXIT_DENIED, "%s: is not a directory", dir);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return fail_set(f, EXIT_DENIED, "%s: owned by uid %ju, which is neither root nor the "
		    "caller", dir, (uintmax_t)st.st_uid);
	if (st.st_mode & S_IWOTH)
		return fail_set(f, EXIT_DENIED, "%s: writable by others (mode %04o)", dir,
		    st.st_mode & 07777);
	*mode = st.st_mode & S_IWGRP ? 0660 : 0600;
	return 0;
}

int
readiness_open(struct readiness *r, const char *peer, struct fail *f)
{
	_cleanup_free_ char *name = file_encode(peer);
	char *dir = runtime_directory(name), *state = state_directory(name);
	mode_t ignored;
	int e;

	*r = (struct readiness){
		.dir = dir,
		.announced = xasprintf("%s/announced", dir),
		.assumed = xasprintf("%s/assumed", dir),
		.old_cycle = xasprintf("%s/cycle", dir),
		.state_dir = state,
		.cycle = xasprintf("%s/cycle", state),
		.lock = xasprintf("%s/lock", state),
	};
	e = open_dir(dir, &ignored, f);
	if (e == 0)
		e = readiness_self_boot(r->boot, f);
	if (e < 0)
		readiness_close(r);
	return e;
}

int
readiness_open_state(struct readiness *r, struct fail *f)
{
	return open_dir(r->state_dir, &r->mode, f);
}

void
readiness_close(struct readiness *r)
{
	free(r->dir);
	free(r->announced);
	free(r->assumed);
	free(r->old_cycle);
	free(r->state_dir);
	free(r->cycle);
	free(r->lock);
	*r = (struct readiness){ 0 };
}

/* The directory of PATH, made again if it was removed meanwhile. */
static int
make_dir_of(const struct readiness *r, const char *path)
{
	return file_make_dirs(path == r->cycle ? r->state_dir : r->dir, 0755);
}

/* Not durable: a power cut makes it another boot's, torn or not. */
static int
write_note(const struct readiness *r, const char *path, struct readiness_note *n, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int e;

	memcpy(n->boot, r->boot, sizeof n->boot);
	n->is_there = true;
	readiness_note_format(n, &b);
	e = file_replace(path, b.s, b.len, 0644, 0);
	if (e == -ENOENT && make_dir_of(r, path) == 0)
		e = file_replace(path, b.s, b.len, 0644, 0);
	return e < 0 ? set_refused(path, e, f) : 0;
}

int
readiness_watch(const struct readiness *r, int inotify_fd, struct fail *f)
{
	int e = inotify_watch_parent(inotify_fd, r->announced);

	if (e == -ENOENT) {
		e = file_make_dirs(r->dir, 0755);
		if (e == 0)
			e = inotify_watch_parent(inotify_fd, r->announced);
	}
	return e < 0 ? set_refused(r->dir, e, f) : 0;
}

static int
read_note(const struct readiness *r, const char *path, struct readiness_note *n, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int e = file_load(path, FILE_NOFOLLOW, NOTE_MAX, &b, f);

	*n = (struct readiness_note){ 0 };
	if (e == -ENOENT)
		return 0;
	if (e < 0)
		return e;
	readiness_note_parse(b.s, b.len, n);
	n->is_there = strcmp(n->boot, r->boot) == 0;
	return 0;
}

int
readiness_announce(const struct readiness *r, const char *incarnation, struct fail *f)
{
	struct readiness_note n = { .made_us = clock_boot_us() };

	readiness_note_set_id(incarnation, strlen(incarnation), n.peer);
	return write_note(r, r->announced, &n, f);
}

int
readiness_forget(const struct readiness *r, struct fail *f)
{
	if (unlink(r->announced) < 0 && errno != ENOENT)
		return set_refused(r->dir, errno, f);
	if (unlink(r->assumed) < 0 && errno != ENOENT)
		return set_refused(r->dir, errno, f);
	return 0;
}

int
readiness_read(const struct readiness *r, struct readiness_now *now, struct fail *f)
{
	int e = read_note(r, r->announced, &now->announced, f);

	if (e == 0)
		e = read_note(r, r->assumed, &now->assumed, f);
	if (e == 0)
		e = read_note(r, r->cycle, &now->cycle, f);
	if (e == 0 && !now->cycle.is_there)
		e = read_note(r, r->old_cycle, &now->cycle, f);
	return e;
}

bool
readiness_is_known(const struct readiness_now *now)
{
	return now->announced.is_there || now->assumed.is_there;
}

/* --- what follows */

enum readiness_verdict
readiness_judge(const struct readiness_self *self, const struct readiness_now *now,
    enum connected connected, bool grace_over)
{
	const struct readiness_note *a = &now->announced, *c = &now->cycle;
	bool level = connected == CONNECTED_NOT_ASKED ? readiness_is_known(now)
	    : connected == CONNECTED_YES;

	/* asked again in the same life: the answer stands, unless the peer has another */
	if (c->is_there && c->verdict != VERDICT_NONE && strcmp(c->agent, self->id) == 0 &&
	    readiness_is_known(now))
		return readiness_is_peer_restart(now) ? VERDICT_PEER_RESTART : c->verdict;
	if (a->is_there && (!c->is_there || readiness_is_peer_restart(now) ||
	    a->made_us >= self->began_us))
		return VERDICT_COLD_START;
	if (!grace_over)
		return VERDICT_NONE;
	return level ? VERDICT_AGENT_RESTART : VERDICT_PEER_OFFLINE;
}

bool
readiness_is_peer_restart(const struct readiness_now *now)
{
	return now->announced.is_there && now->cycle.is_there &&
	    strcmp(now->announced.peer, now->cycle.peer) != 0;
}

int
readiness_begin(const struct readiness *r, const struct readiness_self *self, enum readiness_verdict v,
    struct readiness_now *now, struct fail *f)
{
	struct readiness_note c = { .made_us = clock_boot_us(), .verdict = v };
	int e = 0;

	memcpy(c.agent, self->id, sizeof c.agent);
	/* without an announcement, assume the incarnation of the last cycle */
	if (now->announced.is_there)
		memcpy(c.peer, now->announced.peer, sizeof c.peer);
	else if (now->cycle.is_there)
		memcpy(c.peer, now->cycle.peer, sizeof c.peer);
	if (!readiness_is_known(now)) {
		now->assumed = (struct readiness_note){ .made_us = c.made_us };
		e = write_note(r, r->assumed, &now->assumed, f);
	}
	if (e == 0)
		e = write_note(r, r->cycle, &c, f);
	if (e == 0)
		now->cycle = c;
	return e;
}

static int
update_cycle(const struct readiness *r, const struct readiness_self *self,
    struct readiness_now *now, struct fail *f)
{
	if (!now->cycle.is_there || strcmp(now->cycle.agent, self->id) != 0)
		return 0;
	return write_note(r, r->cycle, &now->cycle, f);
}

int
readiness_adopt(const struct readiness *r, const struct readiness_self *self,
    struct readiness_now *now, struct fail *f)
{
	memcpy(now->cycle.peer, now->announced.peer, sizeof now->cycle.peer);
	return update_cycle(r, self, now, f);
}

int
readiness_end(const struct readiness *r, const struct readiness_self *self,
    struct readiness_now *now, struct fail *f)
{
	now->cycle.ended = true;
	return update_cycle(r, self, now, f);
}
