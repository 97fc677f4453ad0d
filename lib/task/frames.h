/*
 * frames - output of tasks in an answer of the agent (rejoin-task-protocol(7)):
 *
 *	out OFFSET LENGTH\n BYTES		GET /1/tasks/ID/output; "err" likewise
 *	ID out OFFSET LENGTH\n BYTES		GET /1/output?session=S; "err" likewise
 *	ID out-gap OFFSET LENGTH\n		so many bytes are no longer there; "err-gap" likewise
 *	ID end 0 LENGTH\n TASK			the task is over, and all of its output was sent
 *	0 cursor 0 LENGTH\n CURSOR		the last one: for the next request
 */
#ifndef TASK_FRAMES_H
#define TASK_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frames_kind { FRAMES_OUT, FRAMES_ERR, FRAMES_OUT_GAP, FRAMES_ERR_GAP, FRAMES_END, FRAMES_CURSOR };

struct task_frame {
	int64_t task;			/* 0 where frames have no id */
	enum frames_kind kind;
	int64_t offset, length;
	const char *bytes;		/* LENGTH of them, borrowed; NULL for a gap */
};

const char *frames_name(enum frames_kind kind);

/*
 * The frame at *P, which is moved behind it; END is the end of the text, OF_TASKS
 * whether frames begin with an id.  1, or 0 at the end, or -EBADMSG.
 */
int frames_next(const char **p, const char *end, bool of_tasks, struct task_frame *f);

#endif
