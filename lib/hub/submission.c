#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hlc.h"
#include "base/inotify.h"
#include "base/io.h"
#include "base/num.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "hub/submission.h"

enum { RESULT_MAX = 2 << 20, TRIES = 100, POLL_MS = 1000 };

bool
submission_is_urgent(const char *kind)
{
	return strcmp(kind, "telemetry") != 0 && strcmp(kind, "log") != 0;
}

int
submission_check_key(const char *key, struct fail *f)
{
	const size_t n = strlen(key);

	if (n > SUBMISSION_KEY_MAX)
		return fail_set(f, EXIT_USAGE, "the key has %zu bytes, more than %d", n, SUBMISSION_KEY_MAX);
	for (const char *s = key; *s; s++)
		if (utf8_control(s) > 0)
			return fail_set(f, EXIT_USAGE, "the key has a control character at byte %td", s - key + 1);
	return 0;
}

bool
submission_parse_name(const char *s, int64_t *hlc)
{
	const char *dot = strchr(s, '.');
	_cleanup_free_ char *first = dot ? xstrndup(s, (size_t)(dot - s)) : NULL;
	int64_t pid;

	return first && strlen(s) < SUBMISSION_NAME && num_parse(first, 1, INT64_MAX, hlc) == 0 &&
	    num_parse(dot + 1, 1, INT32_MAX, &pid) == 0;
}

static int
cannot_write(const char *path, int err, struct fail *f)
{
	fail_errno(f, err, "%s", path);
	if (f->status == EXIT_DENIED)
		fail_hint(f, "submissions are for root and the members of the group of [hub]");
	if (err == ENOENT || err == -ENOENT) {
		f->status = EXIT_ABSENT;
		fail_hint(f, "rejoin-hub run makes it");
	}
	return -EIO;
}

/* The temporary file in IN, written; its descriptor. */
static int
temporary_write(const char *path, const char *text, size_t len, bool urgent, struct fail *f)
{
	_cleanup_fd_ int fd = -1;
	int r, mine;

	unlink(path);	/* of a process with our pid that was killed */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return cannot_write(path, errno, f);
	r = fchmod(fd, 0640) < 0 ? -errno : io_write_all(fd, text, len);
	if (r == 0 && urgent && fsync(fd) < 0)
		r = -errno;
	if (r < 0) {
		unlink(path);
		return fail_errno(f, r, "%s", path);
	}
	mine = fd;
	fd = -1;
	return mine;
}

int
submission_send(const char *dir, const char *text, size_t len, bool urgent, char name[SUBMISSION_NAME],
    struct fail *f)
{
	static struct hlc clock;
	_cleanup_free_ char *temporary = xasprintf("%s/in/.%d.tmp", dir, (int)getpid());
	_cleanup_fd_ int fd = -1;
	int r = -EEXIST;

	if (len > SUBMISSION_MAX)
		return fail_set(f, EXIT_USAGE, "the submission has %zu bytes, more than %d", len, SUBMISSION_MAX);
	fd = temporary_write(temporary, text, len, urgent, f);
	if (fd < 0)
		return fd;
	/* processes with one pid in two pid namespaces */
	for (int i = 0; i < TRIES && r == -EEXIST; i++) {
		_cleanup_free_ char *path = NULL;

		snprintf(name, SUBMISSION_NAME, "%jd.%d", (intmax_t)hlc_next(&clock, clock_wall_ms()), (int)getpid());
		path = xasprintf("%s/in/%s", dir, name);
		r = renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) < 0 ? -errno : 0;
		if (r == -EINVAL)	/* not every file system can */
			r = rename(temporary, path) < 0 ? -errno : 0;
	}
	if (r < 0) {
		unlink(temporary);
		return cannot_write(temporary, r, f);
	}
	if (urgent && syncfs(fd) < 0)
		return fail_errno(f, errno, "%s/in", dir);
	return 0;
}

/* Sleep until something is renamed into done/, or for MS. */
static void
done_sleep(int fd, int64_t ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	poll(&p, 1, (int)(ms < POLL_MS ? ms : POLL_MS));
	if (fd >= 0)
		inotify_drain(fd);
}

int
submission_wait(const char *dir, const char *name, int64_t timeout_ms, struct json *out, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/done/%s", dir, name), *done = xasprintf("%s/done", dir);
	const int64_t end = clock_mono_ms() + timeout_ms;
	_cleanup_fd_ int fd = inotify_open();

	if (fd >= 0)
		(void)inotify_watch(fd, done, IN_MOVED_TO);
	for (;;) {
		const int64_t left = end - clock_mono_ms();
		int r = json_load(path, FILE_NOFOLLOW, RESULT_MAX, out, f);

		if (r != -ENOENT)
			return r;
		if (left <= 0)
			break;
		done_sleep(fd, left);
	}
	fail_set(f, EXIT_TIMEOUT, "%s: submitted, and not confirmed within %jd ms", name, (intmax_t)timeout_ms);
	fail_hint(f, "the record stays in the outbox and is sent when the link is up: rejoin-hub status");
	return -ETIMEDOUT;
}
