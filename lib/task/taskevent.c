#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "task/taskevent.h"

struct json
taskevent_new(const char *name)
{
	struct json v = json_object();

	json_set_text(&v, "event", name);
	return v;
}

void
taskevent_report(const struct taskevent_sink *s, struct json event, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	s->report(event, text, s->cookie);
	json_release(&event);
}

void
taskevent_step(const struct taskevent_sink *s, struct json event, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	s->step(event, text, s->cookie);
	json_release(&event);
}

static const char *
state_of(struct json task)
{
	const char *state = json_get_text(task, "state");

	return state ? state : "unknown";
}

bool
taskevent_is_over(struct json task)
{
	return strcmp(state_of(task), "running") != 0 && strcmp(state_of(task), "recorded") != 0;
}

int
taskevent_status(struct json task)
{
	_cleanup_json_ struct json status = json_get(task, "status"), e = json_get(status, "exit");
	_cleanup_json_ struct json s = json_get(status, "signal");
	int64_t n;

	if (json_get_whole(e, &n))
		return (int)n;
	if (json_get_whole(s, &n))
		return 128 + (int)n;
	return strcmp(state_of(task), "unknown") == 0 ? TASKEVENT_UNKNOWN : TASKEVENT_FAILED;
}

int
taskevent_end(const struct taskevent_sink *s, int64_t id, struct json task)
{
	_cleanup_json_ struct json status = json_get(task, "status");
	const char *why = json_get_text(status, "why"), *reason = json_get_text(task, "reason");
	const char *error = json_get_text(status, "error"), *state = state_of(task);
	struct json v = taskevent_new("end");
	const int result = taskevent_status(task);

	json_set(&v, "task", json_number((double)id));
	json_set_text(&v, "state", state);
	json_set(&v, "exit", json_number(result));
	if (json_is_object(status))
		json_set(&v, "status", json_copy(status));
	if (reason)
		json_set_text(&v, "reason", reason);
	if (reason)
		taskevent_report(s, v, "task %jd: %s: %s", (intmax_t)id, state, reason);
	else if (error)
		taskevent_report(s, v, "task %jd: could not be executed: %s", (intmax_t)id, error);
	else if (why)
		taskevent_report(s, v, "task %jd: was ended (%s)", (intmax_t)id, why);
	else if (strcmp(state, "unknown") == 0)
		taskevent_report(s, v, "task %jd: how it ended is not known", (intmax_t)id);
	else
		taskevent_step(s, v, "task %jd: %s", (intmax_t)id, state);
	return result;
}
