/*
 * instance_state - the state of an agent's current incarnation at one moment:
 * its name, its start, whether it is up or has ended.
 */
#ifndef AGENT_INSTANCE_STATE_H
#define AGENT_INSTANCE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { INSTANCE_NAME = 80, INSTANCE_TEXT = 160 };

struct instance_state {
	int running;		/* 1, 0, or -1 where it cannot be told */
	char name[INSTANCE_NAME];	/* of the incarnation; empty where there is none */
	int64_t began_ms;	/* on the clock of boot (clock_boot_ms); -1 where not known */
	pid_t pid;		/* 0 where there is none, or it is not here */
	bool is_up;		/* its supervisor reports that it is ready */
	bool has_ended;		/* and its supervisor will not start it again */
	char text[INSTANCE_TEXT];	/* its state, for messages */
};

/* The state of the instance that is process PID; -ESRCH where it has ended. */
int instance_state_of_process(pid_t pid, struct instance_state *l);

/*
 * When this process was asked for, on the clock of boot: when it was forked, but
 * no more than a second ago, as that may have been a script that ran for long
 * before it became this program.
 */
int64_t instance_state_own_start_ms(void);

#endif
