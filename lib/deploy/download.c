#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "deploy/download.h"

enum { SOURCES_MAX = 16, OUT_MAX = 8192, GRACE_MS = 500 };

/* What this process may do; set once, before it downloads. */
static const struct http_job_link *allowed;
static struct download_progress *shown;

struct download {
	const char *path;
	int fd;
	int64_t size;
	download_check *check;
	void *cookie;
	const char *urls[SOURCES_MAX];
	bool is_useless[SOURCES_MAX];
	bool was_short[SOURCES_MAX];	/* it has ended before the end, as if that were all */
	bool was_mixed[SOURCES_MAX];	/* what it sent in several parts was not one content, or another part */
	size_t n;
	size_t owner;		/* the source of all that is in the file; SOURCES_MAX: several, or not known */
	bool is_pure;		/* parts of several sources made other content: none are put together any more */
	int64_t gained_ms;	/* when a byte came last, CLOCK_MONOTONIC */
	struct http_job_backoff backoff;
	struct fail fail;	/* the last one */
	enum http_job_fault fault;	/* of the last transfer */
};

/* One run of the program. */
struct transfer {
	struct download *d;
	struct buf out;
	struct loop *loop;
	int status;
};

void
download_allow(const struct http_job_link *link, struct download_progress *progress)
{
	allowed = link;
	shown = progress;
}

bool
download_is_allowed(void)
{
	return allowed != NULL;
}

bool
download_is_url(const char *url)
{
	return url && (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0);
}

static int64_t
file_length(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_size;
}

void
download_show(int64_t got, int64_t size)
{
	if (!shown)
		return;
	shown->size = size;
	shown->got = got;
}

static void
show_progress(const struct download *d)
{
	download_show(file_length(d->fd), d->size);
}

/* The program has written: the file has grown. */
static void
on_output(int fd, const char *p, size_t n, void *cookie)
{
	struct transfer *run = cookie;

	if (fd == STDERR_FILENO)
		return;
	show_progress(run->d);
	/* of what it says only the end is of interest */
	if (run->out.len + n > OUT_MAX)
		buf_reset(&run->out);
	buf_add(&run->out, p, n);
}

static void
on_ended(const struct spawn_result *r, void *cookie)
{
	struct transfer *run = cookie;

	run->status = r->status;
	loop_stop(run->loop, 0);
}

/* One transfer from URL: the HTTP status, or an error with D's FAIL filled. */
static int
transfer_run(struct download *d, const char *url)
{
	struct transfer run = { d, BUF_INIT, loop_new(), 0 };
	_cleanup_free_ char *program = http_job_program();
	_cleanup_json_ struct json v = http_job_format(&(struct http_job_request){ .url = url, .into = d->path,
	    .max = d->size > 0 ? d->size : 0, .link = allowed });
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct http_job_response r;
	int e;

	json_format(v, &text);
	spawn_start(run.loop, &(struct spawn_spec){ .argv = (char *const[]){ program, NULL }, .in = text.s,
	    .in_len = text.len, .grace_ms = GRACE_MS, .err_inherit = true, .output = on_output }, on_ended, &run);
	loop_run(run.loop);
	loop_free(run.loop);
	e = http_job_parse(run.out.s, run.out.len, &r, &d->fail);
	if (e < 0 && run.status > EXIT_OK && run.status <= EXIT_DENIED)
		d->fail.status = (enum exit_status)run.status;
	d->fault = r.fault;
	/* from its beginning, the next time: of a disk that is full nothing is kept either */
	if (e < 0 && r.fault != HTTP_JOB_NO_FAULT)
		(void)!ftruncate(d->fd, 0);
	buf_release(&run.out);
	return e < 0 ? e : r.status;
}

/* A status that the same request will get again. */
static bool
is_final(int status)
{
	return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
}

static bool
is_whole(const struct download *d)
{
	return (d->size < 0 || file_length(d->fd) == d->size) && lseek(d->fd, 0, SEEK_SET) == 0 &&
	    d->check(d->fd, d->cookie);
}

/*
 * STATUS of the source I was not a part of the content, or what is there now is not it.  RESUMED: it was asked
 * for the rest of the file.
 */
static void
source_judge(struct download *d, size_t i, int status, bool resumed)
{
	const int len = (int)strcspn(d->urls[i], "?#");

	if (status == 416 && file_length(d->fd) > 0) {
		(void)!ftruncate(d->fd, 0);	/* what is there is not of this content */
		return;
	}
	if (status >= 200 && status < 300) {
		if (d->size >= 0 && file_length(d->fd) < d->size) {
			/* a connection that is closed may look like an end, but not twice */
			d->is_useless[i] = d->was_short[i];
			d->was_short[i] = true;
			fail_set(&d->fail, EXIT_TROUBLE, "%.*s: ended before its end", len, d->urls[i]);
			return;
		}
		/* the content may have been replaced between two parts: once more, in one part */
		d->is_useless[i] = d->owner == i && (!resumed || d->was_mixed[i]);
		d->was_mixed[i] = d->owner == i;
		d->is_pure |= d->owner != i;
		(void)!ftruncate(d->fd, 0);
		fail_set(&d->fail, EXIT_DENIED, "%.*s: is not what its hash says", len, d->urls[i]);
		return;
	}
	d->is_useless[i] = is_final(status);
	fail_set(&d->fail, status == 401 || status == 403 ? EXIT_DENIED : is_final(status) ? EXIT_NO : EXIT_TROUBLE,
	    "%.*s: HTTP %d", len, d->urls[i], status);
}

/* One try of the source I: true where the file is whole.  *GAINED: it has brought something. */
static bool
source_try(struct download *d, size_t i, bool *gained)
{
	int64_t before = file_length(d->fd);
	int status;

	if (d->is_pure && d->owner != i && ftruncate(d->fd, 0) == 0)
		before = 0;
	if (before == 0)
		d->owner = i;
	status = transfer_run(d, d->urls[i]);
	show_progress(d);
	*gained = file_length(d->fd) > before;
	if (*gained) {
		d->gained_ms = clock_mono_ms();
		d->backoff = (struct http_job_backoff){ 0, 0 };
		if (d->owner != i)
			d->owner = SOURCES_MAX;
	}
	if (status < 0) {
		/* a URL that is wrong, and a certificate, stay so */
		d->is_useless[i] = d->fail.status == EXIT_USAGE || d->fail.status == EXIT_DENIED ||
		    (d->fault == HTTP_JOB_RANGE && d->was_mixed[i]);
		d->was_mixed[i] |= d->fault == HTTP_JOB_RANGE;
		return false;
	}
	if (status >= 200 && status < 300 && is_whole(d))
		return true;
	source_judge(d, i, status, before > 0);
	return false;
}

/*
 * All sources once; *ANY: one of them is worth another try.  Where nothing is put together the one
 * that has begun goes on for as long as it brings something.
 */
static bool
round_try(struct download *d, bool *any)
{
	const size_t first = d->is_pure && d->owner < d->n ? d->owner : 0;

	*any = false;
	for (size_t k = 0; k < d->n && d->fault != HTTP_JOB_DISK; k++) {
		const size_t i = (first + k) % d->n;
		bool gained;

		if (d->is_useless[i])
			continue;
		if (source_try(d, i, &gained))
			return true;
		*any |= !d->is_useless[i] && d->fault != HTTP_JOB_DISK;
		if (d->is_pure && gained && !d->is_useless[i])
			break;
	}
	return false;
}

int
download_fill(const char *path, int fd, const char *const *urls, int64_t size, download_check *check,
    void *cookie, struct fail *f)
{
	struct download d = { .path = path, .fd = fd, .size = size, .check = check, .cookie = cookie,
	    .gained_ms = clock_mono_ms(), .owner = SOURCES_MAX };
	bool any;

	for (; *urls && d.n < SOURCES_MAX; urls++)
		if (download_is_url(*urls))
			d.urls[d.n++] = *urls;
	if (size >= 0 && file_length(fd) > size && ftruncate(fd, 0) < 0)
		return fail_errno(f, errno, "%s", path);
	show_progress(&d);
	/* all of it came before the agent was killed */
	if (size > 0 && file_length(fd) == size) {
		if (is_whole(&d))
			return 0;
		if (ftruncate(fd, 0) < 0)
			return fail_errno(f, errno, "%s", path);
	}
	while (!round_try(&d, &any)) {
		int64_t left = allowed->patience_ms - (clock_mono_ms() - d.gained_ms);

		if (!any || left <= 0) {
			return fail_set(f, d.fail.status, "%s", d.fail.text);
		}
		clock_sleep_ms(http_job_backoff_next(&d.backoff));
	}
	if (shown)
		shown->size = 0;
	return 0;
}
