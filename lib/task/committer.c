#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "task/committer.h"

enum { GROUP_MAX = 32 };	/* jobs committed together; each has a few descriptors open */

struct committer_job {
	committer_work *work;
	committer_done *done;
	void *cookie;
	int fds[COMMITTER_FDS], n_fds;
	int err;
	struct committer_job *next;
};

struct jobs {
	struct committer_job *first, **tail;
};

struct committer {
	struct loop *loop;
	pthread_t thread;
	pthread_mutex_t lock;		/* of what follows, but for PENDING */
	pthread_cond_t changed;
	struct jobs waiting, finished;
	bool ends;
	int event_fd;			/* readable: some are finished */
	size_t pending;			/* the loop's */
};

static void
jobs_init(struct jobs *q)
{
	q->first = NULL;
	q->tail = &q->first;
}

static void
jobs_push(struct jobs *q, struct committer_job *j)
{
	j->next = NULL;
	*q->tail = j;
	q->tail = &j->next;
}

static struct committer_job *
jobs_pop(struct jobs *q)
{
	struct committer_job *j = q->first;

	if (j && !(q->first = j->next))
		q->tail = &q->first;
	return j;
}

/* --- in the thread */

void
committer_sync(struct committer_job *j, int fd)
{
	if (fd >= 0 && j->n_fds < COMMITTER_FDS)
		j->fds[j->n_fds++] = fd;
	else if (j->err == 0)
		j->err = fd < 0 ? -errno : -EMFILE;
}

static void
write_group(struct jobs *group)
{
	for (struct committer_job *j = group->first; j; j = j->next) {
		int r = j->work(j, j->cookie);

		if (j->err == 0)
			j->err = r;
	}
}

static void
sync_group(struct jobs *group)
{
	for (struct committer_job *j = group->first; j; j = j->next)
		for (int i = 0; i < j->n_fds; i++)	/* a directory has no pages of its own */
			(void)sync_file_range(j->fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
	for (struct committer_job *j = group->first; j; j = j->next)
		for (int i = 0; i < j->n_fds; i++) {
			if (fsync(j->fds[i]) < 0 && j->err == 0)
				j->err = -errno;
			close(j->fds[i]);
		}
}

/* Some of those that wait; false where none will come any more. */
static bool
take_group(struct committer *c, struct jobs *group)
{
	jobs_init(group);
	while (!c->waiting.first && !c->ends)
		pthread_cond_wait(&c->changed, &c->lock);
	for (int n = 0; n < GROUP_MAX && c->waiting.first; n++)
		jobs_push(group, jobs_pop(&c->waiting));
	return group->first != NULL;
}

static void *
commit_jobs(void *cookie)
{
	struct committer *c = cookie;
	struct jobs group;

	pthread_mutex_lock(&c->lock);
	while (take_group(c, &group)) {
		pthread_mutex_unlock(&c->lock);
		write_group(&group);
		sync_group(&group);
		pthread_mutex_lock(&c->lock);
		while (group.first)
			jobs_push(&c->finished, jobs_pop(&group));
		eventfd_write(c->event_fd, 1);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* --- on the loop */

static void
tell_results(struct committer *c)
{
	struct committer_job *j;

	for (;;) {
		pthread_mutex_lock(&c->lock);
		j = jobs_pop(&c->finished);
		pthread_mutex_unlock(&c->lock);
		if (!j)
			return;
		c->pending--;
		j->done(j->err, j->cookie);
		free(j);
	}
}

static void
some_finished(int fd, short events, void *cookie)
{
	eventfd_t n;

	(void)events;
	eventfd_read(fd, &n);
	tell_results(cookie);
}

struct committer *
committer_new(struct loop *l, struct fail *f)
{
	struct committer *c = xcalloc(1, sizeof *c);
	sigset_t all, before;
	int r;

	c->loop = l;
	c->event_fd = eventfd(0, EFD_CLOEXEC);
	jobs_init(&c->waiting);
	jobs_init(&c->finished);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	sigfillset(&all);	/* signals are the loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = c->event_fd < 0 ? errno : pthread_create(&c->thread, NULL, commit_jobs, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0) {
		loop_watch(l, c->event_fd, POLLIN, some_finished, c);
		return c;
	}
	io_closep(&c->event_fd);
	free(c);
	fail_errno(f, r, "a thread");
	return NULL;
}

void
committer_add(struct committer *c, committer_work *work, committer_done *done, void *cookie)
{
	struct committer_job *j = xcalloc(1, sizeof *j);

	*j = (struct committer_job){ .work = work, .done = done, .cookie = cookie };
	c->pending++;
	pthread_mutex_lock(&c->lock);
	jobs_push(&c->waiting, j);
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

void
committer_drain(struct committer *c)
{
	while (c->pending > 0)
		some_finished(c->event_fd, POLLIN, c);
}

void
committer_free(struct committer *c)
{
	if (!c)
		return;
	committer_drain(c);
	pthread_mutex_lock(&c->lock);
	c->ends = true;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	loop_unwatch(c->loop, c->event_fd);
	io_closep(&c->event_fd);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

size_t
committer_pending(const struct committer *c)
{
	return c->pending;
}
