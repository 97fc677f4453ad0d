#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "supervise/outcome.h"

static const char *const why_names[] = { "itself", "kill", "lease", "timeout", "oom" };

enum { WHYS = sizeof why_names / sizeof *why_names };

const char *
outcome_why_name(enum outcome_why w)
{
	return why_names[w];
}

bool
outcome_why_parse(const char *name, enum outcome_why *w)
{
	for (int i = 0; i < WHYS; i++)
		if (strcmp(name, why_names[i]) == 0) {
			*w = (enum outcome_why)i;
			return true;
		}
	return false;
}

int
outcome_parse(const char *text, size_t len, struct outcome *o)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail f;
	const char *why;
	int64_t n;

	*o = (struct outcome){ .exit = -1 };
	if (json_parse(NULL, text, len, &v, &f) < 0 || !json_is_object(v))
		return -EBADMSG;
	n = json_get_whole_or(v, "exit", -1);
	o->exit = n >= 0 && n <= 255 ? (int)n : -1;
	n = json_get_whole_or(v, "signal", 0);
	o->signo = o->exit < 0 && n > 0 && n < NSIG ? (int)n : 0;
	if (o->exit < 0 && o->signo == 0)
		return -EBADMSG;
	why = json_get_text(v, "why");
	if (why && !outcome_why_parse(why, &o->why))
		return -EBADMSG;
	n = json_get_whole_or(v, "errno", 0);
	o->error = n > 0 && n < 4096 ? (int)n : 0;
	n = json_get_whole_or(v, "output_errno", 0);
	o->output_error = n > 0 && n < 4096 ? (int)n : 0;
	json_copy_text(v, "start", o->start, sizeof o->start);
	json_copy_text(v, "end", o->end, sizeof o->end);
	o->bytes[0] = json_get_whole_or(v, "out", 0);
	o->bytes[1] = json_get_whole_or(v, "err", 0);
	o->dropped[0] = json_get_whole_or(v, "out_dropped", 0);
	o->dropped[1] = json_get_whole_or(v, "err_dropped", 0);
	for (int i = 0; i < 2; i++)
		if (o->bytes[i] < 0 || o->dropped[i] < 0 || o->dropped[i] > o->bytes[i])
			return -EBADMSG;
	return 0;
}

static void
set_error(struct json *v, const char *text, const char *number, int err)
{
	if (!err)
		return;
	json_set_text(v, text, strerror(err));
	json_set(v, number, json_number(err));
}

void
outcome_format(const struct outcome *o, struct buf *out)
{
	_cleanup_json_ struct json v = json_object();

	if (o->exit >= 0)
		json_set(&v, "exit", json_number(o->exit));
	else
		json_set(&v, "signal", json_number(o->signo));
	if (o->why != WHY_ITSELF)
		json_set_text(&v, "why", why_names[o->why]);
	set_error(&v, "error", "errno", o->error);
	json_set_text(&v, "start", o->start);
	json_set_text(&v, "end", o->end);
	json_set(&v, "out", json_number((double)o->bytes[0]));
	json_set(&v, "err", json_number((double)o->bytes[1]));
	json_set(&v, "out_dropped", json_number((double)o->dropped[0]));
	json_set(&v, "err_dropped", json_number((double)o->dropped[1]));
	set_error(&v, "output_error", "output_errno", o->output_error);
	json_format(v, out);
	buf_putc(out, '\n');
}

int
outcome_status(const struct outcome *o)
{
	return o->exit >= 0 ? o->exit : 128 + o->signo;
}

void
outcome_describe(const struct outcome *o, struct buf *out)
{
	const char *abbreviation = sigabbrev_np(o->signo);

	if (o->error)
		buf_printf(out, "could not be executed: %s", strerror(o->error));
	else if (o->exit >= 0)
		buf_printf(out, "exited with %d", o->exit);
	else if (abbreviation)
		buf_printf(out, "was killed by SIG%s", abbreviation);
	else
		buf_printf(out, "was killed by signal %d", o->signo);
	if (o->why != WHY_ITSELF)
		buf_printf(out, " (%s)", why_names[o->why]);
}
