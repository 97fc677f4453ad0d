#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/status.h"
#include "agent/status_method.h"
#include "agent/status_waiter.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/lock.h"
#include "retry/method.h"
#include "retry/retry.h"

static int64_t
left_ms(int64_t end_ms)
{
	int64_t left = end_ms - clock_mono_ms();

	return left > 0 ? left : 0;
}

/* Time for the rest of a burst, and for the agent to end what it is at. */
static int
wait_turn(const struct profile *p, const struct retry_spec *spec, struct retry_outcome *o,
    struct fail *f)
{
	int r;

	if (spec->debounce_ms > 0)
		clock_sleep_ms(spec->debounce_ms);
	o->end_ms = clock_mono_ms() + spec->timeout_ms;
	if (!p->retry.only_when_idle || spec->force)
		return 0;
	r = status_wait_idle(p, spec->timeout_ms, f);
	if (r == -ETIMEDOUT)
		return fail_set(f, EXIT_BUSY, "%s: is busy; the request is kept", p->name);
	return r == -ENODATA && p->retry.send_when_unknown ? 0 : r;
}

/* How the last delivery went, whoever made it. */
static void
recall_last(const struct pending *m, struct delivery *d)
{
	_cleanup_buf_ struct buf record = BUF_INIT;
	struct fail ignored;

	*d = (struct delivery){ 0 };
	if (pending_read_delivery(m, &record, &ignored) == 0)
		delivery_parse(record.s, record.len, d);
}

static int
deliver_one(const struct profile *p, const struct pending *m, const struct retry_spec *spec,
    struct retry_outcome *o, struct fail *f)
{
	_cleanup_buf_ struct buf record = BUF_INIT;
	struct delivery last;
	struct fail ignored;
	int r = wait_turn(p, spec, o, f);

	if (r == 0)
		r = pending_claim(m, f);
	if (r < 0)
		return r;
	pending_reason(m, o->reason, sizeof o->reason);
	if (status_method_find(p)->counts_retries)
		recall_last(m, &o->last);
	last = o->last;
	o->last = (struct delivery){ 0 };
	r = retry_method_find(p)->send(p, o->end_ms, &last, &o->last, f);
	if (r < 0) {
		pending_unclaim(m);
		return r;
	}
	o->delivered++;
	/* for who waits for us: without it, that one follows any cycle */
	if (status_method_find(p)->counts_retries) {
		delivery_format(&o->last, &record);
		(void)pending_write_delivery(m, record.s, record.len, &ignored);
	}
	return pending_clear(m, f);
}

/* With the lock held: all there is. */
static int
deliver_all(const struct profile *p, const struct pending *m, const struct retry_spec *spec,
    struct retry_outcome *o, struct fail *f)
{
	int r = 0;

	while (r == 0 && pending_exists(m))
		r = deliver_one(p, m, spec, o, f);
	/* nothing was left to us: another has delivered it, and noted how */
	if (r == 0 && o->delivered == 0 && spec->wait_lock)
		recall_last(m, &o->last);
	return r;
}

static int
take_lock(int fd, const struct profile *p, const struct retry_spec *spec, struct fail *f)
{
	int r = spec->wait_lock ? lock_wait(fd, spec->timeout_ms) : lock_try(fd);

	if (r == -ETIMEDOUT)
		return fail_set(f, EXIT_TIMEOUT, "%s: another process delivers and does not end",
		    p->name);
	return r == 0 || r == -EAGAIN ? r : fail_errno(f, r, "the lock of %s", p->name);
}

int
retry_drain(const struct profile *p, const struct pending *m, const struct retry_spec *spec,
    struct retry_outcome *o, struct fail *f)
{
	_cleanup_fd_ int fd = -1;
	int r;

	*o = (struct retry_outcome){ .end_ms = clock_mono_ms() + spec->timeout_ms };
	fd = pending_open_lock(m, f);
	if (fd < 0)
		return fd;
	do {
		r = take_lock(fd, p, spec, f);
		if (r == -EAGAIN) {
			o->folded = true;
			return 0;
		}
		if (r == 0)
			r = deliver_all(p, m, spec, o, f);
		if (r < 0)
			return r;
		lock_release(fd);
		/* who marked after our last look found the lock held, and left it to us */
	} while (pending_is_new(m));
	return 0;
}

/*
 * Does S show the end of a cycle that took D in?  Its verdict is then in *R.  A
 * new incarnation evaluates its goal when it starts; one at rest has nothing to
 * evaluate.  At rest it says itself how things stand; otherwise another cycle
 * has begun, and its last result tells.
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
not_seen(const struct profile *p, const struct status *s, struct fail *f)
{
	if (s->running == 0)
		return fail_set(f, EXIT_ABSENT, "%s: ended before it evaluated its deployment",
		    p->name);
	return fail_set(f, EXIT_TIMEOUT, "%s: the end of the evaluation was not seen in time",
	    p->name);
}

/* Our agent: its status file is replaced at each change. */
static int
follow_file(const struct profile *p, const struct delivery *d, int64_t end_ms, struct fail *f)
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
			return not_seen(p, &s, f);
		status_waiter_wait(&change, left);
	}
}

/* An agent of which only "busy" can be seen. */
static int
follow_busy(const struct profile *p, int64_t end_ms, struct fail *f)
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
			return fail_set(f, EXIT_TROUBLE, "%s: the evaluation has ended; how it went "
			    "cannot be seen from outside", p->name);
		was_busy = was_busy || s.state == AGENT_BUSY;
		if (left == 0)
			return not_seen(p, &s, f);
		status_waiter_wait(&change, left);
	}
}

int
retry_follow(const struct profile *p, const struct delivery *d, int64_t end_ms, struct fail *f)
{
	if (p->status.method == STATUS_NONE)
		return fail_set(f, EXIT_TROUBLE, "%s: delivered; what comes of it cannot be seen, as its "
		    "profile has no [status]", p->name);
	if (status_method_find(p)->counts_retries)
		return follow_file(p, d, end_ms, f);
	return follow_busy(p, end_ms, f);
}
