/*
 * loop - wait for many things at once: descriptors, timers, signals.
 *
 * One thread, callbacks, poll(2) underneath.  A callback may add and remove
 * whatever it likes.  Nothing here is woken without a reason: a loop with no
 * timer set sleeps until a descriptor or a signal has something.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* EVENTS are poll(2)'s: POLLIN, POLLOUT, POLLHUP, POLLERR. */
typedef void loop_fd_fn(int fd, short events, void *cookie);
typedef void loop_fn(void *cookie);

struct loop *loop_new(void);
void loop_free(struct loop *l);

/* Call FN whenever FD has any of EVENTS; one watch a descriptor. */
void loop_watch(struct loop *l, int fd, short events, loop_fd_fn *fn, void *cookie);
void loop_unwatch(struct loop *l, int fd);

/*
 * A timer lives in its owner; it fires once for each loop_timer_set().  Zero
 * all of it but FN and COOKIE.  Stop it before its memory goes.
 */
struct loop_timer {
	loop_fn *fn;
	void *cookie;
	int64_t at_ms;			/* on the monotonic clock */
	bool set;
	struct loop_timer *next;	/* the loop's */
};

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_ms);
void loop_timer_stop(struct loop *l, struct loop_timer *t);

/*
 * Block SIGNO and call FN when it comes (with a signalfd, so nothing is
 * interrupted).  Children get the mask from before: base/spawn restores it.
 */
void loop_signal(struct loop *l, int signo, loop_fn *fn, void *cookie);

/*
 * Have SIGINT, SIGTERM and SIGHUP stop the loop, with *SIGNO set, but for those
 * that are ignored, as nohup(1) and a shell's background commands have it.
 */
void loop_end_on_signals(struct loop *l, int *signo);

/* Run until loop_stop(); returns the status given to it. */
int loop_run(struct loop *l);

/* Have loop_run() return STATUS after the callbacks of this round; or at once, where it is yet to be called. */
void loop_stop(struct loop *l, int status);

#endif
