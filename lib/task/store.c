#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "task/store.h"

enum { RETRY_MS = 5000, COMMIT_MS = 100, CLEAN_A_ROUND = 2, STARTS_A_ROUND = 4, STORE_FILE_MAX = 4096 };

/* Before the id of a task that is being removed: its directory is no task's any more. */
static const char released_prefix[] = ".released-";

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
	struct taskrecord **tasks;	/* by id, ascending */
	size_t n, cap;
	store_changed *changed;
	void *cookie;
	int64_t count;
	struct loop_timer retry;	/* starts what could not be started */
	struct loop_timer commit;	/* brings the history to the disk, once for all changes of a while */
	struct loop_timer clean;	/* removes what was released */
	char **released;		/* its directories, under their new names */
	size_t n_released, released_cap;
	bool released_synced;		/* the new names are on the disk */
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

struct taskrecord *
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

struct taskrecord *
store_find(const struct store *s, int64_t id)
{
	size_t i = place_of(s, id);

	return i < s->n && s->tasks[i]->id == id ? s->tasks[i] : NULL;
}

static size_t
count_in(const struct store *s, enum taskrecord_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->tasks[i]->state == state;
	return n;
}

bool
store_is_pending(const struct store *s)
{
	return count_in(s, TASK_RECORDED) > 0;
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
commit_history(void *cookie)
{
	struct store *s = cookie;

	if (taskhistory_sync(s->history) < 0)
		loop_timer_set(s->loop, &s->commit, RETRY_MS);
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
	t->changed = ++t->store->count;
	record_state(t);
	t->store->changed(t, t->store->cookie);
}

/* It ends without having been started, and is never started. */
static void
end_unstarted(struct taskrecord *t, enum taskrecord_state state, const char *reason)
{
	if (taskrecord_write_ended(t, state, reason) < 0) {
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

/* A crash may have come between the request and the file that names its lease. */
static int
ensure_lease(struct taskrecord *t)
{
	_cleanup_free_ char *path = xasprintf("%s/lease", t->dir);
	_cleanup_free_ char *lease = xasprintf("../sessions/%jd.json", (intmax_t)t->session);

	if (t->leave || access(path, F_OK) == 0)
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

/* A few at a time: requests are answered in between. */
static void
start_pending(void *cookie)
{
	struct store *s = cookie;
	size_t running = count_in(s, TASK_RUNNING), started = 0;

	for (size_t i = 0; i < s->n && running < (size_t)s->limits.running; i++) {
		if (s->tasks[i]->state != TASK_RECORDED)
			continue;
		if (started == STARTS_A_ROUND) {
			loop_timer_set(s->loop, &s->retry, 0);
			return;
		}
		start_task(s->tasks[i]);
		running += s->tasks[i]->state == TASK_RUNNING;
		started++;
	}
}

/* --- tasks in memory */

static struct taskrecord *
insert_task(struct store *s, int64_t id)
{
	_cleanup_free_ char *dir = xasprintf("%s/%jd", s->path, (intmax_t)id);
	struct taskrecord *t = taskrecord_new(id, dir);
	size_t at = place_of(s, id);

	t->store = s;
	s->tasks = xgrow(s->tasks, s->n, &s->cap, sizeof *s->tasks);
	memmove(s->tasks + at + 1, s->tasks + at, (s->n - at) * sizeof *s->tasks);
	s->tasks[at] = t;
	s->n++;
	return t;
}

static void
remove_task(struct taskrecord *t)
{
	struct store *s = t->store;
	size_t at = place_of(s, t->id);

	memmove(s->tasks + at, s->tasks + at + 1, (s->n - at - 1) * sizeof *s->tasks);
	s->n--;
	taskrecord_free(t);
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
	struct taskrecord *t = insert_task(s, id);

	if (!taskrecord_load(t)) {
		file_remove_tree(t->dir);
		remove_task(t);
		return;
	}
	t->changed = ++s->count;
	adopt_task(t);
}

/* What a crash left of a task that was being released. */
static void
remove_released(const struct store *s, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", s->path, name);

	if (strncmp(name, released_prefix, sizeof released_prefix - 1) == 0)
		file_remove_tree(path);
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
			remove_released(s, e->d_name);
	closedir(d);
	return 0;
}

/* The store's own id, made once with the directory. */
static int
load_id(struct store *s, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/store", s->path);
	_cleanup_json_ struct json v = JSON_ABSENT, n = JSON_ABSENT;
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = json_load(path, FILE_NOFOLLOW, STORE_FILE_MAX, &v, f);

	n = json_get(v, "id");
	if (r == 0 && (!json_get_whole(n, &s->id) || s->id <= 0))
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

/* What cannot be removed now is removed when the store is opened again. */
static void
clean_released(void *cookie)
{
	struct store *s = cookie;

	if (s->n_released > 0 && !s->released_synced)
		s->released_synced = file_sync_dir(s->released[0]) == 0;
	for (int i = 0; i < CLEAN_A_ROUND && s->n_released > 0 && s->released_synced; i++) {
		char *path = s->released[--s->n_released];

		file_remove_tree(path);
		free(path);
	}
	if (s->n_released > 0)
		loop_timer_set(s->loop, &s->clean, s->released_synced ? 0 : RETRY_MS);
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
	s->clean = (struct loop_timer){ .fn = clean_released, .cookie = s };
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
	loop_timer_stop(s->loop, &s->commit);
	loop_timer_stop(s->loop, &s->clean);
	for (size_t i = 0; i < s->n_released; i++)
		free(s->released[i]);
	free(s->released);
	if (s->history)
		taskhistory_sync(s->history);
	for (size_t i = 0; i < s->n; i++)
		taskrecord_free(s->tasks[i]);
	free(s->tasks);
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
write_stdin(const char *dir, const struct buf *in)
{
	_cleanup_free_ char *path = xasprintf("%s/stdin", dir);

	return file_replace(path, in->s, in->len, 0644, FILE_DURABLE);
}

/* Durable, in this order: the directory with its request, the stdin; the lease needs not be. */
static int
record_task(struct taskrecord *t, const struct submit *q, struct refusal *r)
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

int
store_record(struct store *s, uid_t owner, const struct submit *q, const char *command, struct taskrecord **t,
    struct refusal *r)
{
	int e;

	*t = insert_task(s, q->id);
	(*t)->owner = owner;
	e = record_task(*t, q, r);
	if (e < 0) {
		remove_task(*t);
		return e;
	}
	(*t)->command = xstrdup(command);
	set_state(*t, TASK_RECORDED);
	loop_timer_set(s->loop, &s->retry, 0);
	return 0;
}

int
store_kill(struct taskrecord *t, int signo, int64_t grace_ms, struct refusal *r)
{
	int e;

	if (taskrecord_is_over(t))
		return 0;
	if (t->state == TASK_RECORDED) {
		end_unstarted(t, TASK_KILLED, "killed before it was started");
		return 0;
	}
	e = supervise_end(t->dir, WHY_KILL, signo, grace_ms);
	return e < 0 && e != -ESRCH ? refusal_errno(r, e, "kill") : 0;
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

/*
 * First the name, then the files: a directory with half of its files must not be
 * taken for a task that was never started.  The files are removed a few at a time.
 */
static int
remove_directory(struct taskrecord *t)
{
	struct store *s = t->store;
	char *path = xasprintf("%s/%s%jd", s->path, released_prefix, (intmax_t)t->id);

	if (rename(t->dir, path) < 0) {
		int e = errno;

		free(path);
		return -e;
	}
	s->released = xgrow(s->released, s->n_released, &s->released_cap, sizeof *s->released);
	s->released[s->n_released++] = path;
	s->released_synced = false;
	loop_timer_set(s->loop, &s->clean, 0);
	return 0;
}

int
store_release(struct taskrecord *t, struct refusal *r)
{
	int e;

	if (!taskrecord_is_over(t))
		return refusal_set(r, 409, "running", "task %jd is not over", (intmax_t)t->id);
	record_state(t);
	if (!taskhistory_has_end(t->store->history, t->id) || taskhistory_sync(t->store->history) < 0)
		return refusal_set(r, 507, "full", "history: its end cannot be recorded");
	record_event(t, "released", JSON_ABSENT);
	e = remove_directory(t);
	if (e < 0)
		return refusal_errno(r, e, "release");
	t->store->count++;
	remove_task(t);
	return 0;
}

static bool
needs_session(int64_t id, void *cookie)
{
	const struct store *s = cookie;

	for (size_t i = 0; i < s->n; i++)
		if (s->tasks[i]->session == id && !s->tasks[i]->leave && !taskrecord_is_over(s->tasks[i]))
			return true;
	return false;
}

void
store_sweep(struct store *s)
{
	sessions_sweep(s->sessions, lease_now_ns() / 1000000, needs_session, s);
	for (size_t i = 0; i < s->n; i++)
		if (taskrecord_is_over(s->tasks[i]))
			record_state(s->tasks[i]);
}
