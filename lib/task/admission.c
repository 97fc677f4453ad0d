#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "task/admission.h"

enum { COMMAND_MAX = 200 };

static int
check_limits(struct store *s, uid_t owner, struct refusal *r)
{
	const struct store_limits *limits = store_limits(s);
	const int room = taskhistory_room(store_history(s), owner);

	if (room == -ENOSPC)
		return refusal_set(r, 507, "full", "history: the disk has no room for it");
	if (room < 0) {
		refusal_set(r, 507, "full", "history-max: the history has %jd bytes that no controller has released",
		    (intmax_t)limits->history_max / 2);
		return refusal_hint(r, "release tasks that are over: rejoin-task release --all");
	}
	return store_check_room(s, owner, r);
}

static int
check_again(const struct taskrecord *t, uid_t owner, bool is_admin, const struct submit *q, struct refusal *r)
{
	if (t->owner != owner && !is_admin)
		return refusal_set(r, 404, "no-task", "no task %jd", (intmax_t)q->id);
	if (q->nonce[0] && strcmp(t->nonce, q->nonce) != 0)
		return refusal_set(r, 409, "taken", "the id %jd is that of another task", (intmax_t)q->id);
	if (strcmp(t->digest, q->digest) != 0)
		return refusal_set(r, 409, "differs", "task %jd was requested with another command", (intmax_t)q->id);
	return 0;
}

/* A shim sets limits before it becomes the user, so as one that may raise them. */
static int
check_rlimits(const struct launch *l, uid_t owner, struct refusal *r)
{
	struct rlimit mine;

	for (int i = 0; owner != 0 && i < l->n_limits; i++)
		if (getrlimit((__rlimit_resource_t)l->limits[i].resource, &mine) < 0 || (rlim_t)l->limits[i].value > mine.rlim_max)
			return refusal_set(r, 403, "denied", "only root may submit a task with a higher limit than the agent's own");
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
	if (q->launch.new_privileges && owner != 0 && owner != geteuid())
		return refusal_set(r, 403, "denied", "only root may submit a task with new_privileges");
	if (check_rlimits(&q->launch, owner, r) < 0)
		return -1;
	return check_limits(s, owner, r);
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

void
admission_request(struct store *s, uid_t owner, bool is_admin, struct json v, store_answer *fn, void *cookie)
{
	_cleanup_submit_ struct submit q = SUBMIT_INIT;
	_cleanup_free_ char *command = NULL;
	const struct taskrecord *recording;
	struct refusal r = { .status = 0 };
	struct taskrecord *t = NULL;
	int e = submit_parse(v, store_limits(s)->log_max, &q, &r);

	t = e == 0 ? store_find(s, q.id) : NULL;
	recording = e == 0 ? store_find_recording(s, q.id) : NULL;
	if (t || recording)
		e = check_again(t ? t : recording, owner, is_admin, &q, &r);
	else if (e == 0)
		e = check_new(s, owner, &q, &r);
	if (e == 0 && !t && !recording)
		e = set_user(&q, owner, &r);
	if (e < 0 || t) {
		fn(e < 0 ? NULL : t, &r, cookie);
	} else if (recording) {
		store_await(s, q.id, fn, cookie);
	} else {
		command = submit_command(v, COMMAND_MAX);
		store_record(s, owner, &q, command, fn, cookie);
	}
}
