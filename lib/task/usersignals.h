/*
 * usersignals - SIGINT, SIGTERM and SIGHUP of a program, each to one function.
 * Those that were ignored when the program was started stay ignored (nohup(1)).
 */
#ifndef TASK_USERSIGNALS_H
#define TASK_USERSIGNALS_H

#include "base/loop.h"

/* Open: a member of its owner. */
struct usersignals {
	void (*fn)(int signo, void *cookie);
	void *cookie;
};

/* S lives as long as the loop runs. */
void usersignals_watch(struct usersignals *s, struct loop *l);

#endif
