#include "base/xalloc.h"
#include "task/archive.h"
#include "task/taskbatch_step.h"

enum { RELEASE_MANY = 100 };

enum taskbatch_step
taskbatch_step_next(const struct taskbatch_set *s, int64_t session, bool blocked, struct taskbatch_task **of)
{
	struct taskbatch_task *to_kill = NULL, *to_adopt = NULL, *to_submit = NULL;

	for (struct taskbatch_task *t = s->first; t; t = t->next) {
		if (t->over)
			continue;
		if (t->to_kill && !to_kill)
			to_kill = t;
		if (t->held_by && t->held_by != session && !to_adopt)
			to_adopt = t;
		if (!t->held_by && !to_submit)
			to_submit = t;
	}
	*of = to_kill ? to_kill : to_adopt ? to_adopt : to_submit;
	if (to_kill)
		return BATCH_KILL;
	if (to_adopt)
		return BATCH_ADOPT;
	if (s->over > 0 && (s->over >= RELEASE_MANY || s->queued == 0 || blocked))
		return BATCH_HISTORY;
	return to_submit && !blocked ? BATCH_SUBMIT : BATCH_IDLE;
}

char *
taskbatch_step_path(enum taskbatch_step step, const struct taskbatch_task *t, struct adopted_mark adopted)
{
	switch (step) {
	case BATCH_SUBMIT:
		return xstrdup("/1/tasks");
	case BATCH_ADOPT:
		return xasprintf("/1/tasks/%jd/adopt", (intmax_t)t->id);
	case BATCH_KILL:
		return xasprintf("/1/tasks/%jd/kill", (intmax_t)t->id);
	case BATCH_HISTORY:
		return archive_path(adopted, 0);
	case BATCH_RELEASE:
		return xstrdup("/1/release");
	case BATCH_IDLE:
		break;
	}
	return NULL;
}

static struct json
make_submission(const struct taskbatch_task *t, const struct taskbatch_step_call *c)
{
	struct json v = json_copy(t->request);

	json_set(&v, "id", json_number((double)t->id));
	if (t->nonce[0])
		json_set_text(&v, "nonce", t->nonce);
	json_set(&v, "session", json_number((double)c->session));
	json_set_text(&v, "on_loss", c->leave ? "leave" : "kill");
	return v;
}

struct json
taskbatch_step_body(enum taskbatch_step step, const struct taskbatch_task *t, const struct taskbatch_set *s,
    const struct taskbatch_step_call *c)
{
	struct json v;

	if (step == BATCH_IDLE || step == BATCH_HISTORY)
		return JSON_ABSENT;
	if (step == BATCH_SUBMIT)
		return make_submission(t, c);
	v = json_object();
	json_set(&v, "id", json_number((double)c->id));
	if (step == BATCH_ADOPT) {
		json_set(&v, "session", json_number((double)c->session));
	} else if (step == BATCH_KILL) {
		json_set(&v, "signal", json_number(c->signo));
		if (c->signals > 1)
			json_set(&v, "grace_ms", json_number(0));
	} else {
		archive_describe(&v, c->adopted);
		json_set(&v, "tasks", taskbatch_set_over(s));
	}
	return v;
}
