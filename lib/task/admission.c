#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "task/admission.h"

enum { COMMAND_MAX = 200 };

static int64_t
log_bytes(const struct store *s)
{
	int64_t sum = 0;

	for (size_t i = 0; i < store_size(s); i++)
		sum += taskrecord_log_bytes(store_at(s, i));
	return sum;
}

static int
check_limits(const struct store *s, struct refusal *r)
{
	const struct store_limits *limits = store_limits(s);

	if (store_size(s) >= (size_t)limits->tasks)
		return refusal_set(r, 429, "limit", "%jd tasks that are not released", (intmax_t)limits->tasks);
	if (log_bytes(s) >= limits->log_total)
		return refusal_set(r, 507, "full", "the output of all tasks has reached its limit; release some");
	return 0;
}

static int
check_again(struct taskrecord *t, uid_t owner, bool is_admin, const struct submit *q, struct refusal *r)
{
	if (t->owner != owner && !is_admin)
		return refusal_set(r, 404, "no-task", "no task %jd", (intmax_t)q->id);
	if (strcmp(t->digest, q->digest) != 0)
		return refusal_set(r, 409, "differs", "task %jd was requested with another command", (intmax_t)q->id);
	return 0;
}

static int
check_new(struct store *s, uid_t owner, const struct submit *q, struct refusal *r)
{
	const struct task_session *session = q->session ? sessions_find(store_sessions(s), q->session) : NULL;
	const struct passwd *pw = q->launch.user ? getpwnam(q->launch.user) : NULL;

	if (q->id <= store_id(s))
		return refusal_set(r, 410, "other-store", "task %jd is older than this store (%jd), which does not know "
		    "whether it ran", (intmax_t)q->id, (intmax_t)store_id(s));
	if (taskhistory_has_end(store_history(s), q->id))
		return refusal_set(r, 410, "released", "task %jd has run, and was released", (intmax_t)q->id);
	if (taskhistory_may_have_dropped(store_history(s), owner, q->id))
		return refusal_set(r, 410, "other-store", "task %jd is older than the history that is kept, which does not "
		    "know whether it ran", (intmax_t)q->id);
	if (q->start_before && clock_wall_ms() > q->start_before)
		return refusal_set(r, 410, "expired", "it was to be started before now");
	if (q->session && (!session || session->owner != owner || !session_is_valid(session, lease_now_ns() / 1000000)))
		return refusal_set(r, 404, "no-session", "session %jd is not known, or its lease has expired",
		    (intmax_t)q->session);
	if (q->launch.lease && !session)
		return refusal_set(r, 400, "usage", "on_loss \"kill\" needs a session");
	if (q->launch.user && !pw)
		return refusal_set(r, 400, "usage", "no such user: '%s'", q->launch.user);
	if (q->launch.user && pw->pw_uid != owner && owner != 0)
		return refusal_set(r, 403, "denied", "only root may name another user");
	return check_limits(s, r);
}

/* A task runs as the user that asked for it. */
static int
set_user(struct submit *q, uid_t owner, struct refusal *r)
{
	const struct passwd *pw;

	if (q->launch.user || owner == geteuid())
		return 0;
	pw = getpwuid(owner);
	if (!pw)
		return refusal_set(r, 403, "denied", "uid %ju has no name", (uintmax_t)owner);
	q->launch.user = xstrdup(pw->pw_name);
	return 0;
}

int
admission_request(struct store *s, uid_t owner, bool is_admin, struct json v, struct taskrecord **t, struct refusal *r)
{
	_cleanup_submit_ struct submit q = SUBMIT_INIT;
	_cleanup_free_ char *command = NULL;
	int e = submit_parse(v, store_limits(s)->log_max, &q, r);

	if (e < 0)
		return e;
	*t = store_find(s, q.id);
	if (*t)
		return check_again(*t, owner, is_admin, &q, r);
	e = check_new(s, owner, &q, r);
	if (e == 0)
		e = set_user(&q, owner, r);
	if (e < 0)
		return e;
	command = submit_command(v, COMMAND_MAX);
	return store_record(s, owner, &q, command, t, r);
}
