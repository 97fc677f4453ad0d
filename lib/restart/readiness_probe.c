#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/command.h"
#include "agent/fifo.h"
#include "agent/status.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/lock.h"
#include "restart/readiness_probe.h"
#include "retry/pending.h"

/* A check that begins just before the deadline still gets LEAST_MS. */
enum { PROBE_MS = 5000, LOCK_MS = 1000, LEAST_MS = 500 };
enum { TICK_MS = 10 };		/* the start of a process is rounded down to a tick */

static int64_t
left_ms(int64_t end_ms, int64_t most)
{
	int64_t left = end_ms - clock_mono_ms();

	return left < LEAST_MS ? LEAST_MS : left > most ? most : left;
}

int
readiness_probe_begin(struct readiness_probe *s, const struct profile *p, const char *old, bool any_line,
    struct fail *f)
{
	*s = (struct readiness_probe){ .p = p };
	snprintf(s->old, sizeof s->old, "%s", old);
	if (p->restart.ready != READY_LOG || any_line)
		return 0;
	s->log = log_probe_open(p, f);
	return s->log ? 0 : -EIO;
}

void
readiness_probe_old_ended(struct readiness_probe *s)
{
	struct fail ignored;

	if (!s->log || s->log_stopped)
		return;
	s->log_stopped = log_probe_open(s->p, &ignored);
	s->stopped_ms = clock_boot_ms();
}

void
readiness_probe_reset(struct readiness_probe *s)
{
	if (s->log)
		log_probe_skip(s->log);
	if (s->log_stopped)
		log_probe_skip(s->log_stopped);
}

/* The probe that covers all lines of L and, where the times allow it, none of the old instance. */
static struct log_probe *
choose_log(const struct readiness_probe *s, const struct instance_state *l)
{
	return s->log_stopped && l->began_ms + TICK_MS >= s->stopped_ms ? s->log_stopped : s->log;
}

void
readiness_probe_release(struct readiness_probe *s)
{
	log_probe_close(s->log);
	log_probe_close(s->log_stopped);
	*s = (struct readiness_probe){ .p = NULL };
}

static int
run_probe(const struct profile *p, int64_t end_ms, struct fail *f)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct fail why;
	int r = command_capture((const char *const *)p->restart.ready_probe, left_ms(end_ms, PROBE_MS),
	    &out, &why);

	/* a program that cannot be run now will not be later */
	if (r < 0 && why.status == EXIT_TROUBLE)
		*f = why;
	return r == 0 ? 1 : r > 0 || why.status == EXIT_TIMEOUT ? 0 : r;
}

static int
probe_pipe(const struct profile *p, int64_t end_ms, struct fail *f)
{
	_cleanup_pending_ struct pending m = { 0 };
	_cleanup_fd_ int lock = -1, fd = -1;
	int r;

	pending_init(&m, p);
	r = pending_open(&m, f);
	if (r < 0)
		return r;
	lock = pending_open_lock(&m, f);
	if (lock < 0)
		return lock;
	if (lock_wait(lock, left_ms(end_ms, LOCK_MS)) < 0)
		return 0;
	fd = fifo_open(p, f);
	if (fd >= 0)
		return 1;
	/* the pipe may still be the old instance's, or have its owner and mode set yet */
	return f->status == EXIT_USAGE ? fd : 0;
}

static int
probe_status(const struct readiness_probe *s)
{
	struct status now;
	struct fail f;

	if (status_read(s->p, &now, &f) < 0 || now.running == 0)
		return 0;
	if (*now.incarnation && strcmp(now.incarnation, s->old) == 0)
		return 0;
	return now.state == AGENT_IDLE || now.state == AGENT_BUSY ||
	    (now.state == AGENT_FAILED && now.running == 1);
}

/* The name of an instance under systemd is its invocation id. */
static const char *
invocation_of(const struct readiness_probe *s, const struct instance_state *l)
{
	return s->p->restart.method && strcmp(s->p->restart.method, "systemd") == 0 && *l->name ?
	    l->name : NULL;
}

int
readiness_probe_check(struct readiness_probe *s, const struct instance_state *l, int64_t end_ms, struct fail *f)
{
	switch (s->p->restart.ready) {
	case READY_NONE:
		return 1;
	case READY_NOTIFY:
		return l->is_up;
	case READY_LOG:
		return s->log ? log_probe_check(choose_log(s, l), invocation_of(s, l), left_ms(end_ms, PROBE_MS), f) : 1;
	case READY_PROBE:
		return run_probe(s->p, end_ms, f);
	case READY_FIFO_READER:
		return probe_pipe(s->p, end_ms, f);
	case READY_STATUS:
		return probe_status(s);
	}
	return 0;
}

void
readiness_probe_describe(const struct profile *p, struct buf *out)
{
	static const char *const names[] = {
		[READY_NONE] = "none", [READY_NOTIFY] = "notify", [READY_LOG] = "log:",
		[READY_PROBE] = "probe:", [READY_FIFO_READER] = "fifo-reader", [READY_STATUS] = "status",
	};

	buf_puts(out, names[p->restart.ready]);
	if (p->restart.ready == READY_LOG)
		buf_puts(out, p->restart.ready_log);
	for (char **a = p->restart.ready == READY_PROBE ? p->restart.ready_probe : NULL; a && *a; a++)
		buf_printf(out, "%s%s", *a, a[1] ? " " : "");
}
