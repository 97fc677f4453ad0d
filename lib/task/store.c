#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bootid.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "task/ending.h"
#include "task/recorder.h"
#include "task/remover.h"
#include "task/store.h"
#include "task/storedir.h"
#include "task/taskset.h"
#include "task/usage.h"

enum { RETRY_MS = 5000, COMMIT_MS = 100, STARTS_A_ROUND = 4 };

struct store {
	struct loop *loop;
	char *path;
	int lock_fd;
	int64_t id;
	char boot[BOOTID_SIZE];
	struct store_limits limits;
	struct hlc *clock;
	struct committer *committer;
	struct recorder *recorder;
	struct remover *remover;
	struct taskhistory *history;
	struct sessions *sessions;
	struct taskset tasks;
	store_changed *changed;
	void *cookie;
	int64_t changes;
	struct loop_timer retry;	/* starts what could not be started */
	struct loop_timer commit;	/* brings the history to the disk, once for all changes of a while */
};

static void start_pending(void *cookie);

/* --- simple questions */

int64_t
store_id(const struct store *s)
{
	return s->id;
}

const char *
store_boot(const struct store *s)
{
	return s->boot;
}

struct sessions *
store_sessions(struct store *s)
{
	return s->sessions;
}

struct taskhistory *
store_history(struct store *s)
{
	return s->history;
}

int64_t
store_changes(const struct store *s)
{
	return s->changes;
}

size_t
store_task_count(const struct store *s)
{
	return s->tasks.n;
}

struct taskrecord *
store_at(const struct store *s, size_t i)
{
	return s->tasks.items[i];
}

struct taskrecord *
store_find(const struct store *s, int64_t id)
{
	return taskset_find(&s->tasks, id);
}

bool
store_is_pending(const struct store *s)
{
	return taskset_count(&s->tasks, TASK_RECORDED) > 0 || committer_pending(s->committer) > 0;
}

/* --- changes of state */

/* To the history; on the disk with the next commit, which a full disk delays. */
static void
record_event(struct taskrecord *t, const char *event, struct json more)
{
	struct store *s = t->store;

	taskhistory_add(s->history, t->id, t->owner, t->session, event, more);
	if (!s->commit.set)
		loop_timer_set(s->loop, &s->commit, COMMIT_MS);
}

static void
history_committed(int err, void *cookie)
{
	struct store *s = cookie;

	if (err < 0)
		loop_timer_set(s->loop, &s->commit, RETRY_MS);
	else
		s->changed(s->cookie);
}

static void
commit_history(void *cookie)
{
	struct store *s = cookie;

	if (!taskhistory_is_committed(s->history))
		taskhistory_commit(s->history, history_committed, s);
}

struct store_commit {
	struct store *store;
	committer_done *done;
	void *cookie;
};

static void
commit_answered(int err, void *cookie)
{
	struct store_commit *c = cookie;

	if (err == 0)
		c->store->changed(c->store->cookie);
	c->done(err, c->cookie);
	free(c);
}

void
store_commit(struct store *s, committer_done *done, void *cookie)
{
	struct store_commit *c;

	if (taskhistory_is_committed(s->history)) {
		done(0, cookie);
		return;
	}
	c = xcalloc(1, sizeof *c);
	*c = (struct store_commit){ s, done, cookie };
	taskhistory_commit(s->history, commit_answered, c);
}

static void
record_state(struct taskrecord *t)
{
	_cleanup_json_ struct json more = json_object();

	if (taskrecord_is_over(t) && taskhistory_has_end(t->store->history, t->id))
		return;
	if (t->state == TASK_ENDED || (t->state == TASK_KILLED && t->outcome.start[0]))
		json_set(&more, "status", taskrecord_outcome(t));
	if (t->reason)
		json_set_text(&more, "reason", t->reason);
	record_event(t, t->state == TASK_RUNNING ? "started" : taskrecord_state_name(t->state), more);
}

static void
set_state(struct taskrecord *t, enum taskrecord_state state)
{
	t->state = state;
	t->changed = ++t->store->changes;
	record_state(t);
	t->store->changed(t->store->cookie);
}

/* It stays recorded, and is not started, until the disk has room for its end. */
static void
unstarted_ended(struct taskrecord *t, enum taskrecord_state state, const char *reason, int err, void *cookie)
{
	(void)cookie;
	if (err < 0) {
		loop_timer_set(t->store->loop, &t->store->retry, RETRY_MS);
	} else if (!taskrecord_is_over(t)) {
		t->reason = xstrdup(reason);
		set_state(t, state);
	}
}

/* It ends without having been started, and is never started. */
static void
end_unstarted(struct taskrecord *t, enum taskrecord_state state, const char *reason)
{
	ending_add(t->store->committer, t, state, reason, unstarted_ended, NULL);
}

static void
run_over(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct taskrecord *t = cookie;

	t->run = NULL;
	if (v->state == SUPERVISE_ENDED) {
		taskrecord_set_outcome(t, &v->outcome);
		set_state(t, t->state);
	} else if (v->state == SUPERVISE_NEW) {
		t->state = TASK_RECORDED;
		end_unstarted(t, TASK_FAILED, f->text);
	} else {
		set_state(t, TASK_UNKNOWN);
	}
	loop_timer_set(t->store->loop, &t->store->retry, 0);	/* there is room for another one */
}

/* A crash may have come after the request, before the file that names its lease was there and whole. */
static int
ensure_lease(struct taskrecord *t)
{
	_cleanup_free_ char *lease = xasprintf("../sessions/%jd.json", (intmax_t)t->session);

	if (t->leave || taskrecord_names_lease(t))
		return 0;
	return supervise_set_lease(t->dir, lease);
}

static void
start_task(struct taskrecord *t)
{
	const struct supervise_spec spec = { .dir = t->dir };
	struct fail f;

	if (t->start_before && clock_wall_ms() > t->start_before) {
		end_unstarted(t, TASK_EXPIRED, "it could not be started before its time");
		return;
	}
	if (ensure_lease(t) == 0)
		t->run = supervise_start(t->store->loop, &spec, run_over, t, &f);
	if (t->run)
		set_state(t, TASK_RUNNING);
	else
		loop_timer_set(t->store->loop, &t->store->retry, RETRY_MS);
}

/* May T be started, or has its user as many running tasks as it may have (in U)? */
static bool
may_start(const struct store *s, struct usage_table *u, const struct taskrecord *t)
{
	return t->state == TASK_RECORDED && t->endings == 0 &&
	    usage_of(u, t->owner)->running < usage_share(s->limits.running, s->limits.user_share, t->owner);
}

/* A few at a time: requests are answered in between. */
static void
start_pending(void *cookie)
{
	struct store *s = cookie;
	_cleanup_usage_ struct usage_table u = { NULL, 0, 0 };
	size_t running = taskset_count(&s->tasks, TASK_RUNNING), started = 0;

	usage_count(&u, &s->tasks);
	for (size_t i = 0; i < s->tasks.n && running < (size_t)s->limits.running; i++) {
		struct taskrecord *t = s->tasks.items[i];

		if (!may_start(s, &u, t))
			continue;
		if (started == STARTS_A_ROUND) {
			loop_timer_set(s->loop, &s->retry, 0);
			return;
		}
		start_task(t);
		if (t->state == TASK_RUNNING) {
			usage_of(&u, t->owner)->running++;
			running++;
		}
		started++;
	}
}

/* --- tasks in memory */

static struct taskrecord *
task_new(struct store *s, int64_t id)
{
	_cleanup_free_ char *dir = xasprintf("%s/%jd", s->path, (intmax_t)id);
	struct taskrecord *t = taskrecord_new(id, dir);

	t->store = s;
	return t;
}

/* --- from the disk */

/* The state of a task that was there before this agent. */
static void
adopt_task(struct taskrecord *t)
{
	struct supervise_view v;
	struct fail f;

	if (taskrecord_load_ended(t)) {
		record_state(t);
		return;
	}
	if (supervise_examine(t->dir, &v, &f) < 0) {
		t->state = TASK_UNKNOWN;
		t->reason = xstrdup(f.text);
	} else if (v.state == SUPERVISE_NEW && taskhistory_has_end(t->store->history, t->id)) {
		/* its files say that it never ran, and the history that it is over: it is not run again */
		t->state = TASK_UNKNOWN;
	} else if (v.state == SUPERVISE_NEW) {
		t->state = TASK_RECORDED;
	} else if (v.state == SUPERVISE_ENDED) {
		taskrecord_set_outcome(t, &v.outcome);
	} else {
		t->state = TASK_RUNNING;	/* or interrupted: its processes are killed first */
		t->run = supervise_adopt(t->store->loop, t->dir, run_over, t);
	}
	if (taskrecord_is_over(t))
		record_state(t);
}

static void
load_task(struct store *s, int64_t id)
{
	struct taskrecord *t = task_new(s, id);

	if (!taskrecord_load(t)) {
		file_remove_tree(t->dir);
		taskrecord_free(t);
		return;
	}
	taskset_insert(&s->tasks, t);
	t->changed = ++s->changes;
	adopt_task(t);
}

static int
load_tasks(struct store *s, struct fail *f)
{
	DIR *d = opendir(s->path);
	struct dirent *e;
	int64_t id;

	if (!d)
		return fail_errno(f, errno, "%s", s->path);
	while ((e = readdir(d)))
		if (num_parse(e->d_name, 1, INT64_MAX, &id) == 0)
			load_task(s, id);
		else
			remover_clean(s->path, e->d_name);
	closedir(d);
	return 0;
}

static void
task_recorded(struct taskrecord *t, void *cookie)
{
	struct store *s = cookie;

	taskset_insert(&s->tasks, t);
	set_state(t, TASK_RECORDED);
	loop_timer_set(s->loop, &s->retry, 0);
}

struct store *
store_open(struct loop *l, const char *path, const struct store_limits *limits, struct hlc *clock,
    store_changed *changed, void *cookie, struct fail *f)
{
	struct store *s = xcalloc(1, sizeof *s);
	_cleanup_free_ char *history = xasprintf("%s/history.jsonl", path);
	_cleanup_free_ char *sessions = xasprintf("%s/sessions", path);
	int r;

	*s = (struct store){ .loop = l, .path = xstrdup(path), .lock_fd = -1, .limits = *limits, .clock = clock,
	    .changed = changed, .cookie = cookie };
	s->retry = (struct loop_timer){ .fn = start_pending, .cookie = s };
	s->commit = (struct loop_timer){ .fn = commit_history, .cookie = s };
	r = bootid_read(s->boot);
	if (r < 0)
		fail_errno(f, r, "boot id");
	else
		r = storedir_open(s->path, s->boot, clock, &s->lock_fd, &s->id, f);
	if (r == 0) {
		s->committer = committer_new(l, f);
		s->history = s->committer ? taskhistory_open(history, limits->history_max, clock, s->committer, f) : NULL;
		s->sessions = s->history ? sessions_open(sessions, s->boot, f) : NULL;
		r = s->sessions ? load_tasks(s, f) : -EIO;
	}
	if (s->committer) {
		s->recorder = recorder_new(s->committer, task_recorded, s);
		s->remover = remover_new(s->committer, s->path);
	}
	if (r < 0) {
		store_close(s);
		return NULL;
	}
	loop_timer_set(l, &s->retry, 0);
	return s;
}

void
store_settle(struct store *s)
{
	if (!s || !s->committer)
		return;
	loop_timer_stop(s->loop, &s->retry);
	loop_timer_stop(s->loop, &s->commit);
	if (s->remover)
		remover_stop(s->remover);
	committer_drain(s->committer);
}

static void
end_known(int err, void *cookie)
{
	(void)err, (void)cookie;
}

void
store_close(struct store *s)
{
	if (!s)
		return;
	store_settle(s);
	if (s->history)
		taskhistory_commit(s->history, end_known, s);
	committer_free(s->committer);
	loop_timer_stop(s->loop, &s->retry);
	loop_timer_stop(s->loop, &s->commit);
	recorder_free(s->recorder);
	remover_free(s->remover);
	taskset_free(&s->tasks);
	taskhistory_close(s->history);
	sessions_close(s->sessions);
	io_closep(&s->lock_fd);
	free(s->path);
	free(s);
}

const struct store_limits *
store_limits(const struct store *s)
{
	return &s->limits;
}

/* --- requests */

static int
check_tasks(const struct store *s, uid_t owner, const struct usage *own, struct refusal *r)
{
	const int64_t limit = s->limits.tasks, share = usage_share(limit, s->limits.user_share, owner);
	const int64_t all = (int64_t)(s->tasks.n + recorder_count(s->recorder));

	if (all >= limit)
		refusal_set(r, 429, "limit", "tasks: all users have %jd tasks that are not released, the limit", (intmax_t)all);
	else if (own->tasks >= share)
		refusal_set(r, 429, "limit", "tasks: uid %ju has %jd tasks that are not released, its share of %jd "
		    "(user-share = %jd%%)", (uintmax_t)owner, (intmax_t)own->tasks, (intmax_t)limit,
		    (intmax_t)s->limits.user_share);
	else
		return 0;
	return refusal_hint(r, "release tasks that are over: rejoin-task release --all");
}

static int
check_output(const struct store *s, uid_t owner, const struct usage *own, const struct usage_table *u, struct refusal *r)
{
	const int64_t limit = s->limits.log_total, percent = s->limits.user_share;

	if (own->log_bytes >= usage_share(limit, percent, owner))
		refusal_set(r, 507, "full", "log-total: uid %ju has %jd bytes of output, its share of %jd is %jd "
		    "(user-share = %jd%%)", (uintmax_t)owner, (intmax_t)own->log_bytes, (intmax_t)limit,
		    (intmax_t)usage_share(limit, percent, owner), (intmax_t)percent);
	else if (usage_log_bytes(u, limit, percent) >= limit)
		refusal_set(r, 507, "full", "log-total: the output of all users has reached the limit, %jd bytes",
		    (intmax_t)limit);
	else
		return 0;
	return refusal_hint(r, "release tasks that are over: rejoin-task release --all");
}

int
store_check_room(const struct store *s, uid_t owner, struct refusal *r)
{
	_cleanup_usage_ struct usage_table u = { NULL, 0, 0 };
	struct usage *own;

	usage_count(&u, &s->tasks);
	own = usage_of(&u, owner);
	own->tasks += (int64_t)recorder_count_of(s->recorder, owner);
	return check_tasks(s, owner, own, r) < 0 ? -1 : check_output(s, owner, own, &u, r);
}

const struct taskrecord *
store_find_recording(const struct store *s, int64_t id)
{
	return recorder_find(s->recorder, id);
}

void
store_await(struct store *s, int64_t id, store_answer *fn, void *cookie)
{
	recorder_wait(s->recorder, id, fn, cookie);
}

void
store_record(struct store *s, uid_t owner, const struct submit *q, const char *command, store_answer *fn, void *cookie)
{
	struct taskrecord *t = task_new(s, q->id);

	t->owner = owner;
	t->command = xstrdup(command);
	recorder_add(s->recorder, t, q, fn, cookie);
}

struct store_killing {
	store_answer *fn;
	void *cookie;
};

static void
killed_unstarted(struct taskrecord *t, enum taskrecord_state state, const char *reason, int err, void *cookie)
{
	struct store_killing *k = cookie;
	struct refusal r = { .status = 0 };

	unstarted_ended(t, state, reason, err, NULL);
	if (err < 0)
		refusal_errno(&r, err, "kill");
	k->fn(err < 0 ? NULL : t, &r, k->cookie);
	free(k);
}

void
store_kill(struct taskrecord *t, int signo, int64_t grace_ms, store_answer *fn, void *cookie)
{
	struct refusal r = { .status = 0 };
	int e = 0;

	if (t->state == TASK_RECORDED) {
		struct store_killing *k = xcalloc(1, sizeof *k);

		*k = (struct store_killing){ fn, cookie };
		ending_add(t->store->committer, t, TASK_KILLED, "killed before it was started", killed_unstarted, k);
		return;
	}
	if (!taskrecord_is_over(t))
		e = supervise_end(t->dir, WHY_KILL, signo, grace_ms);
	if (e == -ESRCH)
		e = 0;
	if (e < 0)
		refusal_errno(&r, e, "kill");
	fn(e < 0 ? NULL : t, &r, cookie);
}

int
store_set_session(struct taskrecord *t, int64_t session, bool leave, struct refusal *r)
{
	_cleanup_free_ char *lease = xasprintf("../sessions/%jd.json", (intmax_t)session);
	int e = supervise_set_lease(t->dir, leave ? NULL : lease);

	if (e < 0)
		return refusal_errno(r, e, "lease");
	t->session = session;
	t->leave = leave;
	return 0;
}

int
store_release(struct taskrecord *t, struct refusal *r)
{
	struct store *s = t->store;
	int e;

	if (!taskrecord_is_over(t))
		return refusal_set(r, 409, "running", "task %jd is not over", (intmax_t)t->id);
	if (!taskhistory_has_committed_end(s->history, t->id))
		return refusal_set(r, 507, "full", "history: its end cannot be recorded");
	e = remover_add(s->remover, t->dir, t->id);
	if (e < 0)
		return refusal_errno(r, e, "release");
	record_event(t, "released", JSON_ABSENT);
	s->changes++;
	taskset_remove(&s->tasks, t);
	return 0;
}

/* A task that is on its way to the disk needs its session as well as one that is there. */
static bool
needs_session(int64_t id, void *cookie)
{
	const struct store *s = cookie;

	for (size_t i = 0; i < s->tasks.n; i++)
		if (s->tasks.items[i]->session == id && !s->tasks.items[i]->leave && !taskrecord_is_over(s->tasks.items[i]))
			return true;
	return recorder_needs_session(s->recorder, id);
}

const struct task_session *
store_couple(struct store *s, const struct task_session *new, struct refusal *r)
{
	return sessions_couple(s->sessions, new, lease_now_ns() / 1000000, needs_session, s, r);
}

void
store_sweep(struct store *s)
{
	sessions_sweep(s->sessions, lease_now_ns() / 1000000, needs_session, s);
	for (size_t i = 0; i < s->tasks.n; i++) {
		s->tasks.items[i]->log_bytes = taskrecord_log_bytes(s->tasks.items[i]);
		if (taskrecord_is_over(s->tasks.items[i]))
			record_state(s->tasks.items[i]);
	}
}
