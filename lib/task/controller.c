#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/io.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/xalloc.h"
#include "task/controller.h"

enum { LOCK_MS = 10000, HISTORY_FILE_MAX = 64 << 20, ID_DIGITS = 20 };

static const int64_t ahead_max = INT64_C(3600) * 1000000;	/* of ids, which are microseconds */

struct controller {
	char *dir;
	int64_t run;
};

static char *
path_of(const struct controller *c, const char *name)
{
	return xasprintf("%s/%s", c->dir, name);
}

/* The number KEY in the file NAME; 0 where there is none. */
static int64_t
load_number(const struct controller *c, const char *name, const char *key)
{
	_cleanup_free_ char *path = path_of(c, name);
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail f;

	if (json_load(path, FILE_NOFOLLOW, 4096, &v, &f) < 0)
		return 0;
	return json_get_positive(v, key);
}

static int
save_number(const struct controller *c, const char *name, const char *key, int64_t n, int flags)
{
	_cleanup_free_ char *path = path_of(c, name);
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_printf(&b, "{\"%s\":%jd}\n", key, (intmax_t)n);
	return file_replace(path, b.s, b.len, 0600, flags);
}

/* The lock of the directory, for what is read and written as one. */
static int
lock_directory(const struct controller *c, struct fail *f)
{
	_cleanup_free_ char *path = path_of(c, ".lock");
	int fd = lock_open(path, 0600), r = fd < 0 ? fd : lock_wait(fd, LOCK_MS);

	if (r == 0)
		return fd;
	io_closep(&fd);
	return fail_errno(f, r, "%s", path);
}

/* Two hosts that began in the same microsecond have different ones. */
static int64_t
random_run(void)
{
	uint64_t n;

	if (getrandom(&n, sizeof n, GRND_NONBLOCK) != (ssize_t)sizeof n)
		n = (uint64_t)clock_wall_us();
	return (int64_t)(n % ((UINT64_C(1) << 53) - 1)) + 1;
}

static int
load_run(struct controller *c, struct fail *f)
{
	int lock = lock_directory(c, f), r = 0;

	if (lock < 0)
		return lock;
	c->run = load_number(c, "run", "run");
	if (c->run == 0) {
		c->run = random_run();
		r = save_number(c, "run", "run", c->run, FILE_DURABLE);
	}
	close(lock);
	return r < 0 ? fail_errno(f, r, "%s/run", c->dir) : 0;
}

struct controller *
controller_open(const char *key, struct fail *f)
{
	struct controller *c = xcalloc(1, sizeof *c);
	_cleanup_free_ char *tasks = xasprintf("%s/controller/%s/tasks", dirs_state(), key);
	int r = file_make_dirs(tasks, 0700);

	c->dir = xasprintf("%s/controller/%s", dirs_state(), key);
	if (r < 0)
		fail_errno(f, r, "%s", tasks);
	else
		r = load_run(c, f);
	if (r == 0)
		return c;
	controller_close(c);
	return NULL;
}

void
controller_close(struct controller *c)
{
	if (!c)
		return;
	free(c->dir);
	free(c);
}

int64_t
controller_run(const struct controller *c)
{
	return c->run;
}

int64_t
controller_claim_id(struct controller *c, int64_t at_least, struct fail *f)
{
	_cleanup_free_ char *path = path_of(c, "ids");
	_cleanup_fd_ int fd = lock_open(path, 0600);
	char text[ID_DIGITS + 2] = "";
	int64_t id = at_least, last;
	int r = fd < 0 ? fd : lock_wait(fd, LOCK_MS);

	if (r < 0)
		return fail_errno(f, r, "%s", path);
	if (pread(fd, text, ID_DIGITS, 0) < 0)
		return fail_errno(f, errno, "%s", path);
	last = strtoll(text, NULL, 10);
	if (last >= id && last - id < ahead_max)	/* else a wrong clock was set right: its ids are far ahead */
		id = last + 1;
	snprintf(text, sizeof text, "%0*jd\n", ID_DIGITS, (intmax_t)id);
	/* in place: only the first one needs room on the disk */
	if (pwrite(fd, text, ID_DIGITS + 1, 0) != ID_DIGITS + 1)
		return fail_errno(f, errno ? errno : ENOSPC, "%s", path);
	return id;
}

int64_t
controller_session(const struct controller *c, int64_t task)
{
	_cleanup_free_ char *name = xasprintf("tasks/%jd", (intmax_t)task);

	return load_number(c, name, "session");
}

int
controller_keep_session(struct controller *c, int64_t task, int64_t session)
{
	_cleanup_free_ char *name = xasprintf("tasks/%jd", (intmax_t)task);

	return save_number(c, name, "session", session, 0);
}

void
controller_forget_task(struct controller *c, int64_t task)
{
	_cleanup_free_ char *path = xasprintf("%s/tasks/%jd", c->dir, (intmax_t)task);

	unlink(path);
}

struct adopted_mark
controller_adopted(struct controller *c)
{
	_cleanup_free_ char *path = path_of(c, "adopted");
	struct adopted a;
	struct fail f;

	adopted_load(path, &a, &f);	/* from one that is damaged nothing is released: it cannot be adopted to */
	return a.marks[0];
}

/* What was appended without "adopted" behind it is cut off again: it is taken anew, once. */
static int
open_history(const char *path, int64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), e;

	if (fd >= 0 && ftruncate(fd, size) == 0 && lseek(fd, size, SEEK_SET) == size)
		return fd;
	e = errno;
	io_closep(&fd);
	return -e;
}

/* The records of STORE in TEXT that the history has not, and then the mark behind them. */
static int
append_history(struct controller *c, const char *path, struct adopted *a, int64_t store, const char *text, size_t len)
{
	const int64_t before = a->n > 0 ? a->marks[0].store : -1, last = adopted_of(a, store)->history;
	_cleanup_buf_ struct buf b = BUF_INIT, mark = BUF_INIT;
	_cleanup_free_ char *adopted = path_of(c, "adopted");
	_cleanup_fd_ int fd = open_history(path, a->bytes);
	int r = fd < 0 ? fd : adopted_select(a, path, text, len, &b);

	if (r == 0 && b.len > 0)
		r = io_write_all(fd, b.s, b.len);
	if (r == 0 && b.len > 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0 || (a->marks[0].history == last && store == before))
		return r;
	a->bytes += (int64_t)b.len;
	adopted_format(a, &mark);
	return file_replace(adopted, mark.s, mark.len, 0600, FILE_DURABLE);
}

static int
refuse_unnamed(struct fail *f)
{
	int r = fail_set(f, EXIT_TROUBLE, "the task agent does not name the store of its history, which is not copied, and "
	    "nothing is released");

	fail_hint(f, "update rejoin-taskd on that machine");
	return r;
}

int
controller_adopt(struct controller *c, int64_t store, const char *text, size_t len, struct fail *f)
{
	_cleanup_free_ char *marks = path_of(c, "adopted"), *path = path_of(c, "history.jsonl");
	int lock = lock_directory(c, f), r;
	struct adopted a;

	if (lock < 0)
		return lock;
	/* which of its records are here already could not be known, and what is said to be here may be dropped there */
	r = store == 0 ? refuse_unnamed(f) : adopted_load(marks, &a, f);
	if (r == 0) {
		r = append_history(c, path, &a, store, text, len);
		if (r < 0)
			fail_errno(f, r, "%s", path);
	}
	close(lock);
	return r;
}

int
controller_history(struct controller *c, struct buf *out, struct fail *f)
{
	_cleanup_free_ char *path = path_of(c, "history.jsonl");
	int r = file_load(path, FILE_NOFOLLOW, HISTORY_FILE_MAX, out, f);
	int64_t size = load_number(c, "adopted", "bytes");

	if (r == -ENOENT)
		return 0;
	if (r == 0 && (int64_t)out->len > size) {
		out->len = (size_t)size;
		out->s[size] = '\0';
	}
	return r;
}
