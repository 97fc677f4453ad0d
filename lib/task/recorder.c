#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "supervise/supervise.h"
#include "task/recorder.h"

struct recorder_waiter {
	recorder_answer *fn;
	void *cookie;
};

struct recording {
	struct recorder *recorder;
	struct taskrecord *task;
	struct buf request, in, lease;
	bool has_stdin;
	int err;
	struct recorder_waiter *waiters;
	size_t n, cap;
	struct recording *next;
};

struct recorder {
	struct committer *committer;
	void (*recorded)(struct taskrecord *t, void *cookie);
	void *cookie;
	struct recording *first;
};

/* --- in the thread */

/* The descriptor of the new file NAME with the bytes of B; or a negative errno. */
static int
write_file(int dir, const char *name, const struct buf *b, mode_t mode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode), r;

	if (fd < 0)
		return -errno;
	r = fchmod(fd, mode) < 0 ? -errno : io_write_all(fd, b->s, b->len);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* The input is on the disk before there is a request that could be started with it. */
static int
write_stdin(int dir, const struct buf *in)
{
	_cleanup_fd_ int fd = write_file(dir, "stdin", in, 0644);

	if (fd < 0)
		return fd;
	return fsync(fd) < 0 || fsync(dir) < 0 ? -errno : 0;
}

static int
write_lease(int dir, const struct buf *lease)
{
	_cleanup_fd_ int fd = write_file(dir, "lease", lease, 0600);

	return fd < 0 ? fd : 0;
}

static int
write_files(struct committer_job *j, const struct recording *p)
{
	_cleanup_free_ char *copy = xstrdup(p->task->dir);
	_cleanup_fd_ int dir = open(p->task->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : p->has_stdin ? write_stdin(dir, &p->in) : 0, fd;

	/* the request makes a task of the directory: what it cannot start without is there before it */
	if (r == 0 && p->lease.len > 0)
		r = write_lease(dir, &p->lease);
	if (r < 0)
		return r;
	fd = write_file(dir, "request.json", &p->request, 0600);
	if (fd < 0)
		return fd;
	committer_sync(j, fd);
	committer_sync(j, fcntl(dir, F_DUPFD_CLOEXEC, 0));
	committer_sync(j, open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return 0;
}

static int
write_task(struct committer_job *j, void *cookie)
{
	const struct recording *p = cookie;

	return mkdir(p->task->dir, 0700) < 0 ? -errno : write_files(j, p);
}

static int
undo_task(struct committer_job *j, void *cookie)
{
	const struct recording *p = cookie;

	(void)j;
	return file_remove_tree(p->task->dir);
}

/* --- on the loop */

static void
recording_free(struct recording *p)
{
	if (p->task)
		taskrecord_free(p->task);
	buf_release(&p->request);
	buf_release(&p->in);
	buf_release(&p->lease);
	free(p->waiters);
	free(p);
}

static void
recording_answer(struct recording *p)
{
	struct recorder *r = p->recorder;
	struct recording **q = &r->first;
	struct taskrecord *t = p->err ? NULL : TAKE_PTR(p->task);
	struct refusal refusal = { .status = 0 };

	while (*q != p)
		q = &(*q)->next;
	*q = p->next;
	if (t)
		r->recorded(t, r->cookie);
	else
		refusal_errno(&refusal, p->err, "task");
	for (size_t i = 0; i < p->n; i++)
		p->waiters[i].fn(t, &refusal, p->waiters[i].cookie);
	recording_free(p);
}

static void
recording_undone(int err, void *cookie)
{
	(void)err;
	recording_answer(cookie);
}

static void
recording_written(int err, void *cookie)
{
	struct recording *p = cookie;

	p->err = err;
	if (err < 0 && err != -EEXIST)
		committer_add(p->recorder->committer, undo_task, recording_undone, p);
	else
		recording_answer(p);
}

struct recorder *
recorder_new(struct committer *c, void (*recorded)(struct taskrecord *t, void *cookie), void *cookie)
{
	struct recorder *r = xcalloc(1, sizeof *r);

	*r = (struct recorder){ .committer = c, .recorded = recorded, .cookie = cookie };
	return r;
}

void
recorder_free(struct recorder *r)
{
	free(r);
}

static struct recording *
find_recording(const struct recorder *r, int64_t id)
{
	struct recording *p = r->first;

	while (p && p->task->id != id)
		p = p->next;
	return p;
}

static void
add_waiter(struct recording *p, recorder_answer *fn, void *cookie)
{
	p->waiters = xgrow(p->waiters, p->n, &p->cap, sizeof *p->waiters);
	p->waiters[p->n++] = (struct recorder_waiter){ fn, cookie };
}

void
recorder_add(struct recorder *r, struct taskrecord *t, const struct submit *q, recorder_answer *fn, void *cookie)
{
	struct recording *p = xcalloc(1, sizeof *p);
	_cleanup_json_ struct json extra = json_object();
	_cleanup_free_ char *lease = xasprintf("../sessions/%jd.json", (intmax_t)q->session);

	*p = (struct recording){ .recorder = r, .task = t, .has_stdin = q->has_stdin, .next = r->first };
	json_set(&extra, "task", submit_to_json(q, t->owner));
	supervise_format_request(&q->launch, extra, &p->request);
	if (q->has_stdin)
		buf_add(&p->in, q->in.s, q->in.len);
	if (q->launch.lease)
		supervise_format_lease(lease, &p->lease);
	snprintf(t->digest, sizeof t->digest, "%s", q->digest);
	snprintf(t->nonce, sizeof t->nonce, "%s", q->nonce);
	t->session = q->session;
	t->leave = !q->launch.lease;
	t->start_before = q->start_before;
	r->first = p;
	add_waiter(p, fn, cookie);
	committer_add(r->committer, write_task, recording_written, p);
}

const struct taskrecord *
recorder_find(const struct recorder *r, int64_t id)
{
	const struct recording *p = find_recording(r, id);

	return p ? p->task : NULL;
}

void
recorder_wait(struct recorder *r, int64_t id, recorder_answer *fn, void *cookie)
{
	add_waiter(find_recording(r, id), fn, cookie);
}

size_t
recorder_count(const struct recorder *r)
{
	size_t n = 0;

	for (const struct recording *p = r->first; p; p = p->next)
		n++;
	return n;
}

size_t
recorder_count_of(const struct recorder *r, uid_t owner)
{
	size_t n = 0;

	for (const struct recording *p = r->first; p; p = p->next)
		n += p->task->owner == owner;
	return n;
}

bool
recorder_needs_session(const struct recorder *r, int64_t session)
{
	for (const struct recording *p = r->first; p; p = p->next)
		if (p->task->session == session && !p->task->leave)
			return true;
	return false;
}
