/*
 * interrupt - signals of the controller that are for its task.  SIGINT, SIGTERM
 * and SIGHUP are sent on; on a terminal the first SIGINT asks whether to detach
 * from the task or to kill it.  Signals that were ignored stay ignored (nohup(1)).
 */
#ifndef TASK_INTERRUPT_H
#define TASK_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "task/client.h"
#include "task/coupling.h"
#include "task/taskevent.h"

struct interrupt_spec {
	struct loop *loop;
	struct client *client;
	struct coupling *coupling;
	struct taskevent_sink events;
	bool is_terminal;
	void (*detached)(void *cookie);			/* the task goes on without a controller */
	void (*unsubmitted)(int signo, void *cookie);	/* there is no task yet */
	void *cookie;
};

struct interrupt;

struct interrupt *interrupt_new(const struct interrupt_spec *spec);
void interrupt_free(struct interrupt *i);

/* TASK was submitted, and may be sent signals. */
void interrupt_set_task(struct interrupt *i, int64_t task);

/* Send SIGNO to the task. */
void interrupt_send(struct interrupt *i, int signo);

/* The agent answers again: send what it has not answered. */
void interrupt_reconnected(struct interrupt *i);

#endif
