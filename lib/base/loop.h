/*
 * loop - one thread's event loop: descriptors, timers, signals, child processes,
 * and the order in which they are shut down.
 *
 * Callbacks on top of poll(2).  A callback may add and remove whatever it
 * likes.  Without a timer the loop sleeps until a descriptor or a signal is
 * ready.
 *
 * Child processes belong to the loop: it waits for them, ends them at their
 * deadline and at shutdown, and loop_free() kills those that are left.  Start
 * programs with base/spawn, which adds them here.
 *
 * Shutdown is ordered.  Modules register stages; loop_shutdown() calls them from
 * the loop, newest first, and calls the next one only when all children that
 * were told to end have ended and nothing holds the loop.  After the last stage
 * the children that still run are ended the same way; then loop_run() returns.
 * So a module's stage function begins an end, and its function NOUN_free is called
 * after loop_run().
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;

/* EVENTS are those of poll(2): POLLIN, POLLOUT, POLLHUP, POLLERR, POLLPRI. */
typedef void loop_fd_fn(int fd, short events, void *cookie);
typedef void loop_fn(void *cookie);

struct loop *loop_new(void);

/* L may be NULL.  Children that still run are killed and reaped; their functions are not called. */
void loop_free(struct loop *l);

/* Call FN whenever FD has any of EVENTS; one watch a descriptor. */
void loop_watch(struct loop *l, int fd, short events, loop_fd_fn *fn, void *cookie);
void loop_unwatch(struct loop *l, int fd);

/*
 * A timer is a member of its owner and fires once for each loop_timer_set().
 * Zero all of it but FN and COOKIE.  Stop it before its memory is freed.
 */
struct loop_timer {
	loop_fn *fn;
	void *cookie;
	int64_t at_ms;			/* CLOCK_MONOTONIC */
	bool set;
	struct loop_timer *next;	/* the loop's */
};

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_ms);
void loop_timer_stop(struct loop *l, struct loop_timer *t);

/*
 * Block SIGNO and call FN when it arrives (by signalfd(2), so no system call is
 * interrupted).  base/spawn gives children an empty mask.
 */
void loop_signal(struct loop *l, int signo, loop_fn *fn, void *cookie);

/*
 * SIGINT, SIGTERM and SIGHUP stop the loop and set *SIGNO, except those that are
 * ignored, as nohup(1) and background commands of a shell have it.
 */
void loop_end_on_signals(struct loop *l, int *signo);

/* --- child processes */

struct loop_child;

struct loop_child_spec {
	pid_t pid;		/* a child of the caller, leader of its process group, not yet waited for */
	bool session;		/* it leads a session as well: all of it is killed */
	const char *mark;	/* processes with this mark are killed as well (base/procset.h); or NULL */
	int64_t timeout_ms;	/* 0 for no deadline */
	int64_t grace_ms;	/* from SIGTERM to SIGKILL */
};

/* How a child ended. */
struct loop_child_end {
	int status;		/* as the shell has it: its exit status, or 128 + SIGNO */
	int signo;		/* the signal that killed it, or 0 */
	bool timed_out;		/* ended at its deadline */
	bool ended;		/* ended by loop_child_end() or by the shutdown */
};

/* Called once, after the child was waited for; the loop_child is gone by then. */
typedef void loop_child_fn(const struct loop_child_end *e, void *cookie);

/*
 * Take over the child SPEC->pid.  Returns NULL with errno set where no pidfd can
 * be had; the child is killed and reaped then.
 */
struct loop_child *loop_child_add(struct loop *l, const struct loop_child_spec *spec,
    loop_child_fn *fn, void *cookie);

/* Send SIGNO to its process group. */
void loop_child_signal(struct loop_child *c, int signo);

/* SIGTERM to its process group, after the grace period SIGKILL to all of it. */
void loop_child_end(struct loop_child *c);

/* SIGKILL to all of it, wait at most 200 ms, forget it: its function is not called. */
void loop_child_kill(struct loop_child *c);

/* --- shutdown */

/* A stage is a member of its owner. */
struct loop_stage {
	loop_fn *fn;
	void *cookie;
	struct loop_stage *next;	/* the loop's */
};

/* Call S at shutdown, before those that were registered earlier. */
void loop_stage_add(struct loop *l, struct loop_stage *s);
void loop_stage_remove(struct loop *l, struct loop_stage *s);

/*
 * The next stage waits until each hold is released; a stage takes one for what ends later.
 * A release without a hold ends the process by abort(3).
 */
void loop_hold(struct loop *l);
void loop_release(struct loop *l);

/* Begin the shutdown, after which loop_run() returns STATUS.  The first call counts. */
void loop_shutdown(struct loop *l, int status);
bool loop_is_shutting_down(const struct loop *l);

/* Run until the shutdown is over, or until loop_stop(); returns the status given. */
int loop_run(struct loop *l);

/* Have loop_run() return STATUS after the callbacks of this round, without a shutdown. */
void loop_stop(struct loop *l, int status);

#endif
