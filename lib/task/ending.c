#include <stdlib.h>

#include "base/xalloc.h"
#include "task/ending.h"

struct ending {
	struct taskrecord *task;
	enum taskrecord_state state;
	char *reason;
	ending_done *fn;
	void *cookie;
};

/* The committer's: it writes ID/ended (task/taskrecord.h). */
static int
write_ended_file(struct committer_job *j, void *cookie)
{
	const struct ending *e = cookie;

	(void)j;
	return taskrecord_write_ended(e->task, e->state, e->reason);
}

static void
ending_written(int err, void *cookie)
{
	struct ending *e = cookie;

	e->task->endings--;
	e->fn(e->task, e->state, e->reason, err, e->cookie);
	free(e->reason);
	free(e);
}

void
ending_add(struct committer *c, struct taskrecord *t, enum taskrecord_state state, const char *reason, ending_done *fn,
    void *cookie)
{
	struct ending *e = xcalloc(1, sizeof *e);

	*e = (struct ending){ t, state, xstrdup(reason), fn, cookie };
	t->endings++;
	committer_add(c, write_ended_file, ending_written, e);
}
