#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "supervise/segment.h"
#include "task/submit.h"
#include "task/store.h"

enum { RETRY_MS = 5000, COMMAND_MAX = 200, RELEASE_ROUNDS = 3 };

struct store {
	struct loop *loop;
	char *path;
	int lock_fd;
	int64_t id;
	char boot[PROCS_BOOT];
	struct store_limits limits;
	struct hlc *clock;
	struct taskhistory *history;
	struct sessions *sessions;
	struct store_task **tasks;	/* by id, ascending */
	size_t n, cap;
	store_changed *changed;
	void *cookie;
	int64_t count;
	struct loop_timer retry;	/* starts what could not be started */
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
store_count(const struct store *s)
{
	return s->count;
}

size_t
store_size(const struct store *s)
{
	return s->n;
}

struct store_task *
store_at(const struct store *s, size_t i)
{
	return s->tasks[i];
}

/* The place of ID among the tasks, or where it would be. */
static size_t
place_of(const struct store *s, int64_t id)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->tasks[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct store_task *
store_find(const struct store *s, int64_t id)
{
	size_t i = place_of(s, id);

	return i < s->n && s->tasks[i]->id == id ? s->tasks[i] : NULL;
}

static size_t
count_in(const struct store *s, enum store_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->tasks[i]->state == state;
	return n;
}

bool
store_is_pending(const struct store *s)
{
	return count_in(s, STORE_RECORDED) > 0;
}

bool
store_is_over(const struct store_task *t)
{
	return t->state != STORE_RECORDED && t->state != STORE_RUNNING;
}

const char *
store_state_name(enum store_state s)
{
	static const char *const names[] = { "recorded", "running", "ended", "killed", "unknown", "failed",
		"expired" };

	return names[s];
}

/* --- changes of state */

static struct json
status_member(const struct store_task *t)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct json v = JSON_ABSENT;
	struct fail f;

	outcome_format(&t->outcome, &b);
	json_parse(NULL, b.s, b.len, &v, &f);
	return v;
}

static void
record_history(struct store_task *t)
{
	_cleanup_json_ struct json more = json_object();

	if (store_is_over(t) && taskhistory_has_end(t->store->history, t->id))
		return;
	if (t->state == STORE_ENDED || t->state == STORE_KILLED)
		json_set(&more, "status", status_member(t));
	if (t->reason)
		json_set_text(&more, "reason", t->reason);
	/* a full disk: it is tried again by store_sweep() */
	taskhistory_add(t->store->history, t->id, t->owner, t->session,
	    t->state == STORE_RUNNING ? "started" : store_state_name(t->state), more);
}

static void
set_state(struct store_task *t, enum store_state state)
{
	t->state = state;
	t->changed = ++t->store->count;
	record_history(t);
	t->store->changed(t, t->store->cookie);
}

/* It ends without having been started, and is never started. */
static void
end_unstarted(struct store_task *t, enum store_state state, const char *reason)
{
	_cleanup_free_ char *path = xasprintf("%s/ended", t->dir);
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_set_text(&v, "state", store_state_name(state));
	json_set_text(&v, "reason", reason);
	json_format(v, &b);
	buf_putc(&b, '\n');
	if (file_replace(path, b.s, b.len, 0600, FILE_DURABLE) < 0) {
		loop_timer_set(t->store->loop, &t->store->retry, RETRY_MS);
		return;		/* it stays recorded until the disk has room */
	}
	free(t->reason);
	t->reason = xstrdup(reason);
	set_state(t, state);
}

static void
run_over(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct store_task *t = cookie;

	t->run = NULL;
	if (v->state == SUPERVISE_ENDED) {
		t->outcome = v->outcome;
		set_state(t, v->outcome.why == WHY_ITSELF || v->outcome.why == WHY_OOM ? STORE_ENDED : STORE_KILLED);
	} else if (v->state == SUPERVISE_NEW) {
		t->state = STORE_RECORDED;
		end_unstarted(t, STORE_FAILED, f->text);
	} else {
		set_state(t, STORE_UNKNOWN);
	}
	loop_timer_set(t->store->loop, &t->store->retry, 0);	/* there is room for another one */
}

/* A crash may have come between the request and the file that names its lease. */
static int
ensure_lease(struct store_task *t)
{
	_cleanup_free_ char *path = xasprintf("%s/lease", t->dir);
	_cleanup_free_ char *lease = xasprintf("../sessions/%jd.json", (intmax_t)t->session);

	if (t->leave || access(path, F_OK) == 0)
		return 0;
	return supervise_set_lease(t->dir, lease);
}

static void
start_task(struct store_task *t)
{
	const struct supervise_spec spec = { .dir = t->dir };
	struct fail f;

	if (t->start_before && clock_wall_ms() > t->start_before) {
		end_unstarted(t, STORE_EXPIRED, "it could not be started before its time");
		return;
	}
	if (ensure_lease(t) == 0)
		t->run = supervise_start(t->store->loop, &spec, run_over, t, &f);
	if (t->run)
		set_state(t, STORE_RUNNING);
	else
		loop_timer_set(t->store->loop, &t->store->retry, RETRY_MS);
}

static void
start_pending(void *cookie)
{
	struct store *s = cookie;
	size_t running = count_in(s, STORE_RUNNING);

	for (size_t i = 0; i < s->n && running < (size_t)s->limits.running; i++)
		if (s->tasks[i]->state == STORE_RECORDED) {
			start_task(s->tasks[i]);
			running += s->tasks[i]->state == STORE_RUNNING;
		}
}

/* --- tasks in memory */

static void
task_free(struct store_task *t)
{
	supervise_forget(t->run);
	free(t->dir);
	free(t->command);
	free(t->reason);
	free(t);
}

static struct store_task *
insert_task(struct store *s, int64_t id)
{
	struct store_task *t = xcalloc(1, sizeof *t);
	size_t at = place_of(s, id);

	t->store = s;
	t->id = id;
	t->dir = xasprintf("%s/%jd", s->path, (intmax_t)id);
	s->tasks = xgrow(s->tasks, s->n, &s->cap, sizeof *s->tasks);
	memmove(s->tasks + at + 1, s->tasks + at, (s->n - at) * sizeof *s->tasks);
	s->tasks[at] = t;
	s->n++;
	return t;
}

static void
remove_task(struct store_task *t)
{
	struct store *s = t->store;
	size_t at = place_of(s, t->id);

	memmove(s->tasks + at, s->tasks + at + 1, (s->n - at - 1) * sizeof *s->tasks);
	s->n--;
	task_free(t);
}

/* --- from the disk */

static int64_t
whole_of(struct json v, const char *key)
{
	_cleanup_json_ struct json n = json_get(v, key);
	int64_t out;

	return json_get_whole(n, &out) && out >= 0 ? out : 0;
}

/* ID/lease has the session of a task that was moved; else its request has it. */
static void
load_session(struct store_task *t, struct json own)
{
	_cleanup_free_ char *path = xasprintf("%s/lease", t->dir);
	_cleanup_json_ struct json v = JSON_ABSENT;
	const char *on_loss = json_get_text(own, "on_loss"), *file;
	struct fail f;
	long long id;

	t->session = whole_of(own, "session");
	t->leave = on_loss && strcmp(on_loss, "leave") == 0;
	if (json_load(path, FILE_NOFOLLOW, 4096, &v, &f) < 0)
		return;
	file = json_get_text(v, "file");
	t->leave = !file;
	if (file && sscanf(file, "../sessions/%lld.json", &id) == 1)
		t->session = id;
}

static bool
load_ended(struct store_task *t)
{
	_cleanup_free_ char *path = xasprintf("%s/ended", t->dir);
	_cleanup_json_ struct json v = JSON_ABSENT;
	const char *state, *reason;
	struct fail f;

	if (json_load(path, FILE_NOFOLLOW, 65536, &v, &f) < 0)
		return false;
	state = json_get_text(v, "state");
	reason = json_get_text(v, "reason");
	t->reason = xstrdup(reason ? reason : "");
	t->state = state && strcmp(state, "expired") == 0 ? STORE_EXPIRED :
	    state && strcmp(state, "killed") == 0 ? STORE_KILLED : STORE_FAILED;
	return true;
}

static void
adopt_task(struct store_task *t)
{
	struct supervise_view v;
	struct fail f;

	if (load_ended(t)) {
		record_history(t);
		return;
	}
	if (supervise_examine(t->dir, &v, &f) < 0) {
		t->state = STORE_UNKNOWN;
		t->reason = xstrdup(f.text);
	} else if (v.state == SUPERVISE_NEW) {
		t->state = STORE_RECORDED;
	} else if (v.state == SUPERVISE_ENDED) {
		t->outcome = v.outcome;
		t->state = v.outcome.why == WHY_ITSELF || v.outcome.why == WHY_OOM ? STORE_ENDED : STORE_KILLED;
	} else {
		t->state = STORE_RUNNING;	/* or interrupted: its processes are killed first */
		t->run = supervise_adopt(t->store->loop, t->dir, run_over, t);
	}
	if (store_is_over(t))
		record_history(t);
}

/* A directory without a whole request is what a crash left before anything was acknowledged. */
static void
load_task(struct store *s, int64_t id)
{
	struct store_task *t = insert_task(s, id);
	_cleanup_free_ char *path = xasprintf("%s/request.json", t->dir);
	_cleanup_free_ char *in = xasprintf("%s/stdin", t->dir);
	_cleanup_json_ struct json v = JSON_ABSENT, own = JSON_ABSENT;
	const char *digest;
	struct fail f;

	if (json_load(path, FILE_NOFOLLOW, LAUNCH_REQUEST_MAX, &v, &f) == 0)
		own = json_get(v, "task");
	digest = json_get_text(own, "digest");
	if (!digest || (json_get_text(v, "stdin") && access(in, F_OK) < 0)) {
		file_remove_tree(t->dir);
		remove_task(t);
		return;
	}
	snprintf(t->digest, sizeof t->digest, "%s", digest);
	t->owner = (uid_t)whole_of(own, "owner");
	t->start_before = whole_of(own, "start_before");
	t->command = submit_command(v, COMMAND_MAX);
	load_session(t, own);
	t->changed = ++s->count;
	hlc_see(s->clock, id);
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
	closedir(d);
	return 0;
}

/* The store's own id, made once with the directory. */
static int
load_id(struct store *s, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/store", s->path);
	_cleanup_json_ struct json v = JSON_ABSENT;
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = json_load(path, FILE_NOFOLLOW, 4096, &v, f);

	if (r == 0)
		s->id = whole_of(v, "id");
	if (r == 0 && s->id == 0)
		return fail_set(f, EXIT_TROUBLE, "%s: is damaged", path);
	if (r != -ENOENT) {
		hlc_see(s->clock, s->id);
		return r;
	}
	s->id = hlc_next(s->clock, clock_wall_ms());
	buf_printf(&b, "{\"id\":%jd,\"boot\":\"%s\"}\n", (intmax_t)s->id, s->boot);
	r = file_replace(path, b.s, b.len, 0600, FILE_DURABLE);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

static int
lock_store(struct store *s, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/.lock", s->path);
	struct stat st;
	int r = file_make_dirs(s->path, 0700);

	if (r < 0 || stat(s->path, &st) < 0)
		return fail_errno(f, r < 0 ? r : errno, "%s", s->path);
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return fail_set(f, EXIT_DENIED, "%s: is not the caller's, or others can write there", s->path);
	s->lock_fd = lock_open(path, 0600);
	r = s->lock_fd < 0 ? s->lock_fd : lock_try(s->lock_fd);
	if (r == -EAGAIN)
		return fail_set(f, EXIT_BUSY, "%s: another rejoin-taskd serves it", s->path);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
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
	r = lock_store(s, f);
	if (r == 0 && (r = procs_boot(s->boot)) < 0)
		fail_errno(f, r, "boot id");
	if (r == 0)
		r = load_id(s, f);
	if (r == 0) {
		s->history = taskhistory_open(history, (size_t)limits->history_max, clock, f);
		s->sessions = s->history ? sessions_open(sessions, s->boot, f) : NULL;
		r = s->sessions ? load_tasks(s, f) : -EIO;
	}
	if (r < 0) {
		store_close(s);
		return NULL;
	}
	loop_timer_set(l, &s->retry, 0);
	return s;
}

void
store_close(struct store *s)
{
	if (!s)
		return;
	loop_timer_stop(s->loop, &s->retry);
	for (size_t i = 0; i < s->n; i++)
		task_free(s->tasks[i]);
	free(s->tasks);
	taskhistory_close(s->history);
	sessions_close(s->sessions);
	io_closep(&s->lock_fd);
	free(s->path);
	free(s);
}

/* --- requests */

static int64_t
log_bytes(const struct store *s)
{
	int64_t sum = 0, first, end;

	for (size_t i = 0; i < s->n; i++) {
		_cleanup_fd_ int dir = open(s->tasks[i]->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		for (int k = 0; k < 2; k++)
			if (dir >= 0 && segment_bounds(dir, k ? "err" : "out", &first, &end) == 0)
				sum += end - first;
	}
	return sum;
}

static int
check_limits(struct store *s, struct refusal *r)
{
	if (s->n >= (size_t)s->limits.tasks)
		return refusal_set(r, 429, "limit", "%jd tasks that are not released", (intmax_t)s->limits.tasks);
	if (log_bytes(s) >= s->limits.log_total)
		return refusal_set(r, 507, "full", "the output of all tasks has reached its limit; release some");
	return 0;
}

static int
write_stdin(const char *dir, const struct buf *in)
{
	_cleanup_free_ char *path = xasprintf("%s/stdin", dir);

	return file_replace(path, in->s, in->len, 0644, FILE_DURABLE);
}

/* Durable, in this order: the directory with its request, the stdin; the lease needs not be. */
static int
record_task(struct store_task *t, struct submit *q, struct refusal *r)
{
	_cleanup_json_ struct json extra = json_object();
	_cleanup_free_ char *lease = xasprintf("../sessions/%jd.json", (intmax_t)q->session);
	struct fail f;
	int e;

	json_set(&extra, "task", submit_to_json(q, t->owner));
	e = supervise_make(t->dir, &q->launch, extra, &f);
	if (e == 0 && q->has_stdin)
		e = write_stdin(t->dir, &q->in);
	if (e == 0 && q->launch.lease)
		e = supervise_set_lease(t->dir, lease);
	if (e < 0) {
		file_remove_tree(t->dir);
		return refusal_errno(r, e, "task");
	}
	snprintf(t->digest, sizeof t->digest, "%s", q->digest);
	t->session = q->session;
	t->leave = !q->launch.lease;
	t->start_before = q->start_before;
	return 0;
}

static int
check_again(struct store_task *t, uid_t owner, bool is_admin, const struct submit *q, struct refusal *r)
{
	if (t->owner != owner && !is_admin)
		return refusal_set(r, 404, "no-task", "no task %jd", (intmax_t)q->id);
	if (strcmp(t->digest, q->digest) != 0)
		return refusal_set(r, 409, "differs", "task %jd was requested with another command", (intmax_t)q->id);
	return 0;
}

static int
check_new(struct store *s, uid_t owner, bool is_admin, const struct submit *q, struct refusal *r)
{
	const struct task_session *session = q->session ? sessions_find(s->sessions, q->session) : NULL;
	const struct passwd *pw = q->launch.user ? getpwnam(q->launch.user) : NULL;

	if (q->id <= s->id)
		return refusal_set(r, 410, "other-store", "task %jd is older than this store (%jd), which does not know "
		    "whether it ran", (intmax_t)q->id, (intmax_t)s->id);
	if (taskhistory_has_end(s->history, q->id))
		return refusal_set(r, 410, "released", "task %jd has run, and was released", (intmax_t)q->id);
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
	(void)is_admin;
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
store_add(struct store *s, uid_t owner, bool is_admin, struct json v, struct store_task **t, struct refusal *r)
{
	_cleanup_submit_ struct submit q = SUBMIT_INIT;
	int e = submit_parse(v, s->limits.log_max, &q, r);

	if (e < 0)
		return e;
	hlc_see(s->clock, q.id);
	*t = store_find(s, q.id);
	if (*t)
		return check_again(*t, owner, is_admin, &q, r);
	e = check_new(s, owner, is_admin, &q, r);
	if (e == 0)
		e = set_user(&q, owner, r);
	if (e < 0)
		return e;
	*t = insert_task(s, q.id);
	(*t)->owner = owner;
	e = record_task(*t, &q, r);
	if (e < 0) {
		remove_task(*t);
		return e;
	}
	free((*t)->command);
	(*t)->command = submit_command(v, COMMAND_MAX);
	set_state(*t, STORE_RECORDED);
	loop_timer_set(s->loop, &s->retry, 0);
	return 0;
}

int
store_kill(struct store_task *t, int signo, int64_t grace_ms, struct refusal *r)
{
	int e;

	if (store_is_over(t))
		return 0;
	if (t->state == STORE_RECORDED) {
		end_unstarted(t, STORE_KILLED, "killed before it was started");
		return 0;
	}
	e = supervise_end(t->dir, WHY_KILL, signo, grace_ms);
	return e < 0 && e != -ESRCH ? refusal_errno(r, e, "kill") : 0;
}

int
store_set_session(struct store_task *t, int64_t session, struct refusal *r)
{
	_cleanup_free_ char *lease = xasprintf("../sessions/%jd.json", (intmax_t)session);
	int e;

	if (store_is_over(t))
		return 0;
	e = supervise_set_lease(t->dir, session ? lease : NULL);
	if (e < 0)
		return refusal_errno(r, e, "lease");
	if (session)
		t->session = session;
	t->leave = session == 0;
	return 0;
}

int
store_release(struct store_task *t, struct refusal *r)
{
	int e = -EBUSY;

	if (!store_is_over(t))
		return refusal_set(r, 409, "running", "task %jd is not over", (intmax_t)t->id);
	if (!taskhistory_has_end(t->store->history, t->id))
		record_history(t);
	if (!taskhistory_has_end(t->store->history, t->id))
		return refusal_set(r, 507, "full", "history: its end cannot be recorded");
	taskhistory_add(t->store->history, t->id, t->owner, t->session, "released", JSON_ABSENT);
	for (int i = 0; i < RELEASE_ROUNDS && e < 0; i++)
		e = file_remove_tree(t->dir);
	if (e < 0)
		return refusal_errno(r, e, "release");
	t->store->count++;
	remove_task(t);
	return 0;
}

struct json
store_describe(const struct store_task *t)
{
	_cleanup_fd_ int dir = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct json v = json_object();
	int64_t first, end;

	json_set(&v, "id", json_number((double)t->id));
	json_set_text(&v, "state", store_state_name(t->state));
	json_set(&v, "owner", json_number(t->owner));
	json_set(&v, "session", t->session ? json_number((double)t->session) : json_null());
	json_set_text(&v, "on_loss", t->leave ? "leave" : "kill");
	json_set_text(&v, "command", t->command ? t->command : "");
	for (int k = 0; k < 2; k++)
		if (dir >= 0 && segment_bounds(dir, k ? "err" : "out", &first, &end) == 0)
			json_set(&v, k ? "err" : "out",
			    json_number((double)(t->outcome.bytes[k] > end ? t->outcome.bytes[k] : end)));
	if (t->reason)
		json_set_text(&v, "reason", t->reason);
	if (t->outcome.start[0])
		json_set(&v, "status", status_member(t));
	return v;
}

static bool
needs_session(int64_t id, void *cookie)
{
	const struct store *s = cookie;

	for (size_t i = 0; i < s->n; i++)
		if (s->tasks[i]->session == id && !s->tasks[i]->leave && !store_is_over(s->tasks[i]))
			return true;
	return false;
}

void
store_sweep(struct store *s)
{
	sessions_sweep(s->sessions, lease_now_ns() / 1000000, needs_session, s);
	for (size_t i = 0; i < s->n; i++)
		if (store_is_over(s->tasks[i]))
			record_history(s->tasks[i]);
}
