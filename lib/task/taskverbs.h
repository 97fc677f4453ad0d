/*
 * taskverbs - what rejoin-task(1) does with a target: run, attach, log, list,
 * history, kill, release.  The program parses the command line and calls them.
 *
 * Each returns an exit status, or a negative errno with F filled.
 */
#ifndef TASK_TASKVERBS_H
#define TASK_TASKVERBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "task/controller.h"
#include "task/inquiry.h"
#include "task/link.h"
#include "task/target.h"
#include "task/taskevent.h"

/* Open: filled in by the command line, then by taskverbs_open(). */
struct taskverbs {
	bool all, detach, follow, keep, lines, json, give_stdin;
	int64_t id, from, timeout_ms;	/* FROM -1: both streams */
	bool as_table;			/* else jsonl */
	int signo;
	struct link_timing timing;
	const char *user;
	struct json env;
	struct target target;
	char **command;
	struct json ids;		/* of release: an array */

	char label[256];		/* the controller's name, for people at the agent */
	struct inquiry_agent agent;
	struct controller *controller;
	struct taskevent_sink events;
};

/* What a verb needs besides its options. */
int taskverbs_open(struct taskverbs *o, struct fail *f);
void taskverbs_close(struct taskverbs *o);

/* These end with the task's status (task/taskevent.h). */
int taskverbs_run(struct taskverbs *o, struct fail *f);
int taskverbs_attach(struct taskverbs *o, struct fail *f);

int taskverbs_log(struct taskverbs *o, struct fail *f);
int taskverbs_list(struct taskverbs *o, struct fail *f);
int taskverbs_history(struct taskverbs *o, struct fail *f);
int taskverbs_kill(struct taskverbs *o, struct fail *f);
int taskverbs_release(struct taskverbs *o, struct fail *f);

#endif
