#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "supervise/started.h"

int
started_parse(const char *text, size_t len, struct started *s)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail f;
	int64_t pid, shim, ticks, shim_ticks;

	*s = (struct started){ .pid = 0 };
	if (json_parse(NULL, text, len, &v, &f) < 0 || !json_is_object(v))
		return -EBADMSG;
	pid = json_get_whole_or(v, "pid", -1);
	shim = json_get_whole_or(v, "shim", -1);
	ticks = json_get_whole_or(v, "start", -1);
	shim_ticks = json_get_whole_or(v, "shim_start", -1);
	if (pid < 2 || pid > INT32_MAX || shim < 1 || shim > INT32_MAX || ticks < 0 || shim_ticks < 0)
		return -EBADMSG;
	*s = (struct started){ .pid = (pid_t)pid, .shim = (pid_t)shim, .ticks = (uint64_t)ticks,
	    .shim_ticks = (uint64_t)shim_ticks };
	json_copy_text(v, "boot", s->boot, sizeof s->boot);
	json_copy_text(v, "cgroup", s->cgroup, sizeof s->cgroup);
	json_copy_text(v, "time", s->time, sizeof s->time);
	return 0;
}

void
started_format(const struct started *s, struct buf *out)
{
	_cleanup_json_ struct json v = json_object();

	json_set(&v, "pid", json_number(s->pid));
	json_set(&v, "start", json_number((double)s->ticks));
	json_set(&v, "shim", json_number(s->shim));
	json_set(&v, "shim_start", json_number((double)s->shim_ticks));
	json_set_text(&v, "boot", s->boot);
	if (s->cgroup[0])
		json_set_text(&v, "cgroup", s->cgroup);
	json_set_text(&v, "time", s->time);
	json_format(v, out);
	buf_putc(out, '\n');
}

/* A mark is looked for as a prefix, so it ends with a full stop. */
void
started_mark(const struct started *s, char mark[STARTED_MARK])
{
	snprintf(mark, STARTED_MARK, "%.8s-%jd-%ju.", s->boot, (intmax_t)s->shim, (uintmax_t)s->shim_ticks);
}
