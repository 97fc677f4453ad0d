/*
 * taskcommand - the commands of rejoin-task(1): which options and operands each
 * of them has.
 *
 * An option or an operand that a command would ignore is misuse: it ends the
 * program (base/opt.h).
 */
#ifndef TASK_TASKCOMMAND_H
#define TASK_TASKCOMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/opt.h"
#include "task/taskverbs.h"

enum { TASKCOMMAND_OPTIONS = 32 };

/* The command line, beside what the verbs take from it. */
struct taskcommand_line {
	struct taskverbs verb;
	bool leave, loss_given;		/* what --on-loss says; that it was given */
	int format;			/* the index of the choice; -1: not given */
	char **operands;		/* after the target and the command */
	const struct opt *given[TASKCOMMAND_OPTIONS];	/* each option once */
	size_t n_given;
};

struct taskcommand {
	const char *name;
	int (*perform)(struct taskverbs *o, struct fail *f);	/* a status, or < 0 with F */
	bool passes_on;			/* ends with the task's status */
	bool of_task;			/* its operand is a task's id */
	const char *options;		/* its own, a blank between; the common ones are for all */
};

/* NULL where there is none called NAME. */
const struct taskcommand *taskcommand_find(const char *name);

/* Has it the option --format? */
bool taskcommand_prints_records(const struct taskcommand *c);

/* OPT was given. */
void taskcommand_note(struct taskcommand_line *o, const struct opt *opt);

/* TEXT, which the option or operand WHAT has, goes into JSON: another encoding would be another text. */
void taskcommand_need_utf8(const char *what, const char *text);

/* Is O what C takes?  Its operands are set in the verb's members, and so is the policy. */
void taskcommand_check(const struct taskcommand *c, struct taskcommand_line *o);

#endif
