#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/fd_owners.h"
#include "agent/status.h"
#include "agent/status_method.h"
#include "agent/status_text.h"
#include "agent/status_waiter.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/uidname.h"
#include "base/xalloc.h"
#include "retry/method.h"
#include "retry/retry.h"

/* So long root respects a lock that another user's process holds. */
enum { LOCK_FOREIGN_MS = 30000, OWNERS_MAX = 16, HOLDER_TEXT = 160 };

static int64_t
left_ms(int64_t end_ms)
{
	int64_t left = end_ms - clock_mono_ms();

	return left > 0 ? left : 0;
}

/* P's agent did not become idle: in which state it stays is seen once more, for the message. */
static int
set_not_idle(const struct profile *p, struct fail *f)
{
	struct status s;

	if (status_read(p, &s, f) < 0 || s.state == AGENT_IDLE || s.state == AGENT_UNKNOWN)
		s.state = AGENT_BUSY;
	return fail_set(f, EXIT_BUSY, "%s: is %s; the request is kept", p->name, status_text_state(s.state));
}

/* Wait for the rest of a burst of requests, then for an idle agent. */
static int
wait_idle(const struct profile *p, const struct retry_spec *spec, struct retry_outcome *o,
    struct fail *f)
{
	int r;

	if (spec->debounce_ms > 0)
		clock_sleep_ms(spec->debounce_ms);
	o->end_ms = clock_mono_ms() + spec->timeout_ms;
	if (!p->retry.only_when_idle || spec->force)
		return 0;
	r = status_wait_idle(p, true, spec->timeout_ms, f);
	if (r == -ETIMEDOUT)
		return set_not_idle(p, f);
	return r == -ENODATA && p->retry.send_when_unknown ? 0 : r;
}

/* Read the last delivery, whichever process made it. */
static void
read_last(const struct pending *m, struct delivery *d)
{
	_cleanup_buf_ struct buf record = BUF_INIT;
	struct fail ignored;

	*d = (struct delivery){ 0 };
	if (pending_read_delivery(m, &record, &ignored) == 0)
		delivery_parse(record.s, record.len, d);
}

/* Without this record a process that waits for the delivery follows any evaluation. */
static void
write_last(const struct pending *m, const struct delivery *d)
{
	_cleanup_buf_ struct buf record = BUF_INIT;
	struct fail ignored;

	delivery_format(d, &record);
	(void)pending_write_delivery(m, record.s, record.len, &ignored);
}

/* The profile as the request wants it: with the again-command in place of the command. */
static struct profile
choose_command(const struct profile *p, bool again)
{
	struct profile chosen = *p;

	if (again && p->retry.again_command)
		chosen.retry.command = p->retry.again_command;
	return chosen;
}

static int
deliver_one(const struct profile *p, const struct pending *m, const struct retry_spec *spec,
    struct retry_outcome *o, struct fail *f)
{
	const bool counted = status_method_find(p)->counts_retries;
	_cleanup_buf_ struct buf reasons = BUF_INIT;
	struct delivery before;
	struct profile chosen;
	bool again;
	int r = wait_idle(p, spec, o, f);

	if (r == 0)
		r = pending_claim(m, &again, f);
	if (r < 0)
		return r;
	chosen = choose_command(p, again);
	pending_reasons(m, &reasons);
	if (counted)
		read_last(m, &o->last);
	before = o->last;
	o->last = (struct delivery){ 0 };
	r = retry_method_find(p)->send(&chosen, o->end_ms, &before, &o->last, f);
	if (r < 0) {
		o->timed_out = f->status == EXIT_TIMEOUT;
		pending_unclaim(m);
		return r;
	}
	o->delivered++;
	if (counted)
		write_last(m, &o->last);
	if (spec->delivered)
		spec->delivered(reasons.s, spec->cookie);
	return pending_clear(m, again, f);
}

/* Deliver the request for the instance NAME: a frame of its own, whose outcome nothing follows. */
static int
deliver_instance(const struct profile *p, const struct pending *m, const char *name,
    const struct retry_spec *spec, struct retry_outcome *o, struct fail *f)
{
	_cleanup_free_ char *command = NULL, *reason = xasprintf("instance %s", name);
	struct delivery last = { 0 }, ignored = { 0 };
	struct profile chosen = *p;
	int r;

	r = wait_idle(p, spec, o, f);
	if (r == 0)
		r = pending_claim_instance(m, name, f);
	if (r < 0)
		return r;
	command = xasprintf("%s %s", p->retry.instance_command, name);
	chosen.retry.command = command;
	r = retry_method_find(p)->send(&chosen, o->end_ms, &last, &ignored, f);
	if (r < 0) {
		o->timed_out = f->status == EXIT_TIMEOUT;
		pending_unclaim_instance(m, name);
		return r;
	}
	o->delivered++;
	if (spec->delivered)
		spec->delivered(reason, spec->cookie);
	return pending_clear_instance(m, name, f);
}

/* Under the lock: deliver until nothing is pending. */
static int
deliver_all(const struct profile *p, const struct pending *m, const struct retry_spec *spec,
    struct retry_outcome *o, struct fail *f)
{
	char *name = NULL;
	int r = 0;

	do {
		while (r == 0 && pending_exists(m))
			r = deliver_one(p, m, spec, o, f);
		free(name);
		name = r == 0 && p->retry.instance_command ? pending_find_instance(m) : NULL;
		if (name)
			r = deliver_instance(p, m, name, spec, o, f);
	} while (r == 0 && name);
	free(name);
	/* nothing was left: another process has delivered the request */
	if (r == 0 && o->delivered == 0 && spec->wait_lock)
		read_last(m, &o->last);
	return r;
}

/*
 * Is the lock of FD held by a process of another user, and not of root?  Only
 * root can see that; HOLDER then names the process.
 */
static bool
is_held_by_foreigner(int fd, char holder[HOLDER_TEXT])
{
	struct fd_owner owners[OWNERS_MAX];
	size_t hidden, n;

	if (geteuid() != 0)
		return false;
	n = fd_owners_find(fd, owners, OWNERS_MAX, &hidden);
	for (size_t i = 0; i < n && i < OWNERS_MAX; i++) {
		char name[UIDNAME_MAX];

		if (!owners[i].locks || owners[i].uid == 0 || owners[i].uid == (uid_t)-1)
			continue;
		snprintf(holder, HOLDER_TEXT, "process %jd (%s) of user %s", (intmax_t)owners[i].pid,
		    owners[i].command, uidname_user(owners[i].uid, name));
		return true;
	}
	return false;
}

enum turn { TURN_LOCKED, TURN_UNLOCKED, TURN_COALESCED };

/* Take the lock, or find that another process delivers.  Returns an enum turn or an error. */
static int
take_lock(int fd, const struct profile *p, const struct retry_spec *spec, struct fail *f)
{
	char holder[HOLDER_TEXT];
	int r = lock_try(fd);
	bool foreign = r == -EAGAIN && is_held_by_foreigner(fd, holder);

	if (r == -EAGAIN && !foreign && !spec->wait_lock)
		return TURN_COALESCED;
	if (r == -EAGAIN) {
		r = lock_wait(fd, foreign && LOCK_FOREIGN_MS < spec->timeout_ms ? LOCK_FOREIGN_MS :
		    spec->timeout_ms);
		if (r == -ETIMEDOUT && is_held_by_foreigner(fd, holder)) {
			if (spec->lock_ignored)
				spec->lock_ignored(holder, spec->cookie);
			return TURN_UNLOCKED;
		}
	}
	if (r == -ETIMEDOUT)
		return fail_set(f, EXIT_TIMEOUT, "%s: timed out waiting for the process that delivers",
		    p->name);
	return r < 0 ? fail_errno(f, r, "the lock of %s", p->name) : TURN_LOCKED;
}

/* Was a request recorded while this process held the lock, after its last check? */
static bool
is_left(const struct profile *p, const struct pending *m)
{
	_cleanup_free_ char *name = p->retry.instance_command ? pending_find_instance(m) : NULL;

	return name || pending_is_new(m);
}

int
retry_drain(const struct profile *p, const struct pending *m, const struct retry_spec *spec,
    struct retry_outcome *o, struct fail *f)
{
	_cleanup_fd_ int fd = -1;
	int turn, r;

	*o = (struct retry_outcome){ .end_ms = clock_mono_ms() + spec->timeout_ms };
	fd = pending_open_lock(m, f);
	if (fd < 0)
		return fd;
	do {
		turn = take_lock(fd, p, spec, f);
		if (turn < 0)
			return turn;
		if (turn == TURN_COALESCED) {
			o->coalesced = true;
			return 0;
		}
		r = deliver_all(p, m, spec, o, f);
		if (r < 0)
			return r;
		lock_release(fd);
		/* a request recorded after the last check was left to us, as we held the lock */
	} while (turn == TURN_LOCKED && is_left(p, m));
	return 0;
}

/*
 * Does S show the end of an evaluation that covers delivery D?  Its result is
 * then in *R.  A new incarnation evaluates its deployment when it starts, and if
 * it rests it has nothing to evaluate.  The state of a resting agent is the
 * result; otherwise another cycle has begun, and the last result counts.
 */
static bool
is_settled(const struct status *s, const struct delivery *d, int *r, struct fail *f)
{
	bool same = strcmp(s->incarnation, d->incarnation) == 0;
	bool rests = s->state == AGENT_IDLE || s->state == AGENT_FAILED;

	if (same ? s->settled < d->target : s->settled_cycle < 1 && !rests)
		return false;
	if (rests ? s->state == AGENT_IDLE : s->result > 0)
		*r = 0;
	else
		*r = fail_set(f, EXIT_NO, "%s: the deployment %s failed: result %d%s%s", s->agent,
		    s->workflow, s->result, *s->note ? ": " : "", s->note);
	return true;
}

static int
set_unseen(const struct profile *p, const struct status *s, struct fail *f)
{
	if (s->running == 0)
		return fail_set(f, EXIT_ABSENT, "%s: ended before it evaluated its deployment",
		    p->name);
	return fail_set(f, EXIT_TIMEOUT, "%s: timed out waiting for the end of the evaluation",
	    p->name);
}

/* An agent that counts its requests. */
static int
follow_counted(const struct profile *p, const struct delivery *d, int64_t end_ms, struct fail *f)
{
	_cleanup_status_waiter_ struct status_waiter change;
	struct status s;
	int r;

	status_waiter_open(&change, p);
	for (;;) {
		int64_t left = left_ms(end_ms);

		r = status_read(p, &s, f);
		if (r < 0 || is_settled(&s, d, &r, f))
			return r;
		if (left == 0)
			return set_unseen(p, &s, f);
		status_waiter_wait(&change, left);
	}
}

/* An agent of which only the state can be seen: it is busy, then idle or failed. */
static int
follow_state(const struct profile *p, int64_t end_ms, struct fail *f)
{
	_cleanup_status_waiter_ struct status_waiter change;
	bool was_busy = false;
	struct status s;

	status_waiter_open(&change, p);
	for (;;) {
		int64_t left = left_ms(end_ms);
		int r = status_read(p, &s, f);

		if (r < 0)
			return r;
		if (was_busy && s.state == AGENT_IDLE)
			return 0;
		if (was_busy && s.state == AGENT_FAILED)
			return fail_set(f, EXIT_NO, "%s: the evaluation failed%s%s", p->name,
			    *s.note ? ": " : "", s.note);
		was_busy = was_busy || s.state == AGENT_BUSY;
		if (left == 0)
			return set_unseen(p, &s, f);
		status_waiter_wait(&change, left);
	}
}

bool
retry_is_due(const struct profile *p, const struct pending *m)
{
	_cleanup_free_ char *name = p->retry.instance_command ? pending_find_instance(m) : NULL;

	return name || pending_exists(m);
}

int
retry_check_again(const struct profile *p, struct fail *f)
{
	return p->retry.again_command ? 0 : fail_set(f, EXIT_USAGE, "%s: [retry] has no again-command, "
	    "so --again is not possible", p->file);
}

int
retry_check_instance(const struct profile *p, struct fail *f)
{
	return p->retry.instance_command ? 0 : fail_set(f, EXIT_USAGE, "%s: [retry] has no instance-command, "
	    "so --instance is not possible", p->file);
}

int
retry_check_followable(const struct profile *p, struct fail *f)
{
	if (status_method_shows_outcome(p))
		return 0;
	return fail_set(f, EXIT_USAGE, "%s: [status] cannot show how an evaluation ends, so --wait is "
	    "not possible", p->file);
}

int
retry_follow(const struct profile *p, const struct delivery *d, int64_t end_ms, struct fail *f)
{
	int r = retry_check_followable(p, f);

	if (r < 0)
		return r;
	return status_method_find(p)->counts_retries ? follow_counted(p, d, end_ms, f) :
	    follow_state(p, end_ms, f);
}
