/*
 * taskevent - what a controller tells its user: an object with a member "event",
 * and the same in words.
 *
 *	{"event":"link","state":"suspect"|"coupled"|"lost","target":NAME}
 *	{"event":"submitting","task":ID}
 *	{"event":"dropped","task":ID,"stream":"out"|"err","from":N,"to":N}
 *	{"event":"backlog","bytes":N,"fetched":N}
 *	{"event":"end","task":ID,"state":NAME,"exit":N,"status":{...}}
 *	{"event":"detached"}, {"event":"question"}, {"event":"history"}
 */
#ifndef TASK_TASKEVENT_H
#define TASK_TASKEVENT_H

#include "base/diag.h"
#include "base/json.h"

/* TEXT says the same as EVENT, without the name of the target.  Both are borrowed. */
typedef void taskevent_fn(struct json event, const char *text, void *cookie);

struct taskevent_sink {
	taskevent_fn *report;	/* what the user should know */
	taskevent_fn *step;	/* each step, for a user that asks for it */
	void *cookie;
};

/* An object with its member "event". */
struct json taskevent_new(const char *name);

/* Give EVENT, which is released, and a text to S. */
void taskevent_report(const struct taskevent_sink *s, struct json event, const char *fmt, ...) PRINTF(3, 4);
void taskevent_step(const struct taskevent_sink *s, struct json event, const char *fmt, ...) PRINTF(3, 4);

/*
 * The end of the task that TASK, an answer of the agent, describes, to S: a report
 * where it is not the command's own end, else a step.  Returns the status for
 * the shell: the task's own, 128 + n for signal n, TASKEVENT_UNKNOWN, TASKEVENT_FAILED.
 */
enum { TASKEVENT_UNKNOWN = 124, TASKEVENT_FAILED = 125 };
int taskevent_end(const struct taskevent_sink *s, int64_t id, struct json task);

/* The same status, without a report. */
int taskevent_status(struct json task);

/* Is TASK, as the agent describes it, over? */
bool taskevent_is_over(struct json task);

#endif
