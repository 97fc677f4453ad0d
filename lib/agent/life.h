/*
 * life - what one look at an agent shows of its present life: which
 * incarnation it is, since when, and whether it is well.
 */
#ifndef AGENT_LIFE_H
#define AGENT_LIFE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { LIFE_NAME = 80, LIFE_TEXT = 160 };

struct life {
	int running;		/* 1, 0, or -1 where it cannot be told */
	char name[LIFE_NAME];	/* of the incarnation; empty where there is none */
	int64_t began_ms;	/* on the clock of boot (clock_boot_ms); -1 where not known */
	pid_t pid;		/* 0 where there is none, or it is not here */
	bool is_up;		/* whoever supervises it says that it is ready */
	bool has_ended;		/* nobody will start it again */
	char text[LIFE_TEXT];	/* its state, for people */
};

/* The life of process PID; -ESRCH where it is gone. */
int life_of_process(pid_t pid, struct life *l);

/*
 * When this process was asked for, on the clock of boot: when it was forked, but
 * no more than a second ago, as that may have been a script that ran for long
 * before it became this program.
 */
int64_t life_own_start_ms(void);

#endif
