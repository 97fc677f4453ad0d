#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "task/session.h"

enum { NS_PER_MS = 1000000 };

void
session_open(struct task_session *s, int64_t now)
{
	s->n = 0;
	s->heard_ms = now;
	s->deadline_ms = now + s->lease_ms;
}

bool
session_is_valid(const struct task_session *s, int64_t now)
{
	return s->leave || now < s->deadline_ms;
}

enum session_beat
session_beat(struct task_session *s, int64_t n, int64_t seen, int64_t now)
{
	int64_t deadline;

	if (!session_is_valid(s, now))
		return SESSION_EXPIRED;
	s->heard_ms = now;
	if (n < s->n)
		return SESSION_DECREASED;
	if (n == s->n)
		return SESSION_DUPLICATE;
	s->n = n;
	deadline = (seen < now ? seen : now) + s->lease_ms;
	if (deadline > s->deadline_ms)
		s->deadline_ms = deadline;
	return SESSION_RENEWED;
}

struct lease
session_lease(const struct task_session *s, const char *boot)
{
	struct lease l = { .deadline_ns = s->deadline_ms * NS_PER_MS };

	snprintf(l.boot, sizeof l.boot, "%s", boot);
	return l;
}

void
session_format(const struct task_session *s, const char *boot, struct buf *out)
{
	_cleanup_json_ struct json v = json_object();
	const struct lease l = session_lease(s, boot);
	char line[LEASE_LINE + 1];

	lease_format(&l, line);
	buf_puts(out, line);
	json_set(&v, "id", json_number((double)s->id));
	json_set(&v, "owner", json_number(s->owner));
	json_set_text(&v, "controller", s->controller);
	json_set(&v, "run", json_number((double)s->run));
	json_set(&v, "period_ms", json_number((double)s->period_ms));
	json_set(&v, "lease_ms", json_number((double)s->lease_ms));
	json_set_text(&v, "on_loss", s->leave ? "leave" : "kill");
	json_format(v, out);
	buf_putc(out, '\n');
}

static bool
whole_of(struct json v, const char *key, int64_t *out)
{
	_cleanup_json_ struct json n = json_get(v, key);

	return json_get_whole(n, out) && *out >= 0;
}

int
session_parse(const char *text, size_t len, const char *boot, struct task_session *s)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	const char *name, *on_loss;
	struct lease l;
	struct fail f;
	int64_t owner;

	*s = (struct task_session){ .id = 0 };
	if (lease_parse(text, len, &l) < 0 ||
	    json_parse(NULL, text + LEASE_LINE, len - LEASE_LINE, &v, &f) < 0)
		return -EBADMSG;
	name = json_get_text(v, "controller");
	on_loss = json_get_text(v, "on_loss");
	if (!whole_of(v, "id", &s->id) || !whole_of(v, "owner", &owner) || owner > UINT32_MAX ||
	    !whole_of(v, "run", &s->run) || !whole_of(v, "period_ms", &s->period_ms) ||
	    !whole_of(v, "lease_ms", &s->lease_ms) || !name || !on_loss || s->id == 0)
		return -EBADMSG;
	s->owner = (uid_t)owner;
	snprintf(s->controller, sizeof s->controller, "%s", name);
	s->leave = strcmp(on_loss, "leave") == 0;
	s->deadline_ms = strcmp(l.boot, boot) == 0 ? l.deadline_ns / NS_PER_MS : 0;
	return 0;
}
