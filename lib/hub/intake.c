#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "hub/calls.h"
#include "hub/intake.h"
#include "hub/results.h"
#include "hub/submission.h"

enum { BATCH = 256 };	/* files that one commit is for */

struct submitted {
	char name[SUBMISSION_NAME];
	int64_t hlc;
	bool left;		/* for a later scan: its queue is full */
};

/* The file NAME of the directory FD into TEXT, and its owner. */
static int
submission_load(int fd, const char *name, struct buf *text, uid_t *uid, struct fail *f)
{
	_cleanup_fd_ int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (file < 0 && errno == ELOOP)
		return fail_set(f, EXIT_DENIED, "in/%s: is a symbolic link", name);
	if (file < 0 || fstat(file, &st) < 0)
		return fail_errno(f, errno, "in/%s", name);
	*uid = st.st_uid;
	if (!S_ISREG(st.st_mode))
		return fail_set(f, EXIT_DENIED, "in/%s: is no regular file", name);
	if (st.st_nlink != 1)
		return fail_set(f, EXIT_DENIED, "in/%s: has %ju links", name, (uintmax_t)st.st_nlink);
	text->max = SUBMISSION_MAX;
	while ((n = io_read_buf(file, text)) > 0)
		;
	if (n == -EMSGSIZE)
		return fail_set(f, EXIT_USAGE, "in/%s: has more than %d bytes", name, SUBMISSION_MAX);
	return n < 0 ? fail_errno(f, (int)n, "in/%s", name) : 0;
}

/* The instance whose call ITEM answers; the call goes into the record, because its file is removed. */
static int
answer_join(const struct intake *in, struct json *value, const char *key, char **instance, struct fail *f)
{
	_cleanup_json_ struct json call = JSON_ABSENT, answer = json_get(*value, "value");
	const char *of;

	if (calls_find(in->dir, key, &call, f) < 0)
		return fail_set(f, EXIT_USAGE, "answer: no call '%s' is open", key);
	of = json_get_text(call, "instance");
	if (!of || !json_is_object(answer) || !json_get_text(answer, "status"))
		return fail_set(f, EXIT_USAGE, "answer %s: has no status", key);
	*instance = xstrdup(of);
	json_set(&answer, "call", json_copy(call));
	json_set(value, "value", json_copy(answer));
	return 0;
}

static enum intake_verdict
line_accept(struct intake *in, const struct intake_callbacks *cb, struct intake_item *item, uid_t uid, struct fail *f)
{
	_cleanup_json_ struct json wait = json_get(item->value, "wait");
	_cleanup_free_ char *kind = NULL, *key = NULL, *instance = NULL;
	const char *k = json_get_text(item->value, "kind"), *n = json_get_text(item->value, "key");
	enum intake_verdict v;

	item->wait = json_kind(wait) == JSON_TRUE;
	if (!k || !n) {
		fail_set(f, EXIT_USAGE, "in/%s: a line without kind or key", item->name);
		return INTAKE_REFUSED;
	}
	kind = xstrdup(k);
	key = xstrdup(n);
	if (in->full && submission_is_urgent(kind))
		return INTAKE_FULL;	/* behind one that waits */
	if ((strcmp(kind, "answer") == 0 && answer_join(in, &item->value, key, &instance, f) < 0) ||
	    authority_check(&in->authority, uid, kind, key, instance, f) < 0)
		return INTAKE_REFUSED;
	v = cb->accept(item, cb->cookie, f);
	if (v == INTAKE_ACCEPTED && strcmp(kind, "answer") == 0) {
		in->answered = xgrow(in->answered, in->n_answered, &in->answered_cap, sizeof *in->answered);
		in->answered[in->n_answered++] = TAKE_PTR(key);
	}
	return v;
}

static void
refuse_submission(struct intake *in, const struct intake_callbacks *cb, const char *name, const struct fail *f)
{
	in->refused++;
	cb->refused(f, cb->cookie);
	(void)results_write(in->dir, name, 0, "refused", (int)f->status, f->text, JSON_ABSENT);
}

/* The lines of one file.  INTAKE_FULL: the rest is taken by a later scan. */
static enum intake_verdict
text_accept(struct intake *in, const struct intake_callbacks *cb, const struct submitted *s, const char *text,
    size_t len, uid_t uid)
{
	const char *end = text + len, *next;
	const int first = strcmp(in->partial, s->name) == 0 ? in->partial_lines : 0;
	int line = 0;

	for (const char *p = text; p < end; p = next) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		_cleanup_json_ struct json value = JSON_ABSENT;
		char sub[SUBMISSION_NAME + 16];
		struct intake_item item = { .sub = sub, .name = s->name, .time_ms = s->hlc / 1000 };
		enum intake_verdict v = INTAKE_REFUSED;
		struct fail f;

		next = newline ? newline + 1 : end;
		if (line < first) {
			line++;
			continue;
		}
		snprintf(sub, sizeof sub, line ? "%s.%d" : "%s", s->name, line);
		line++;
		if (json_parse(s->name, p, (size_t)((newline ? newline : end) - p), &value, &f) == 0) {
			item.value = json_copy(value);
			v = line_accept(in, cb, &item, uid, &f);
			json_release(&item.value);
		}
		if (v == INTAKE_FULL) {
			if (!in->full) {
				memcpy(in->partial, s->name, sizeof in->partial);
				in->partial_lines = line - 1;
			}
			in->full = true;
			return v;
		}
		if (v == INTAKE_REFUSED)
			refuse_submission(in, cb, s->name, &f);
		else
			in->accepted++;
	}
	return INTAKE_ACCEPTED;
}

/*
 * Remove NAME of D.  A directory of another user with something in it cannot be removed, and is set
 * aside under a name that no scan looks at: it is reported once.
 */
static void
entry_remove(DIR *d, const char *name)
{
	_cleanup_free_ char *aside = NULL;

	if (unlinkat(dirfd(d), name, 0) == 0 || errno != EISDIR || unlinkat(dirfd(d), name, AT_REMOVEDIR) == 0)
		return;
	aside = xasprintf(".refused-%jd-%.40s", (intmax_t)clock_boot_ms(), name);
	(void)renameat(dirfd(d), name, dirfd(d), aside);
}

static int
compare_names(const void *a, const void *b)
{
	const struct submitted *x = a, *y = b;
	const int r = (x->hlc > y->hlc) - (x->hlc < y->hlc);

	return r ? r : strcmp(x->name, y->name);
}

/* The submissions of the directory, at most BATCH of the oldest; what has another name is refused. */
static size_t
names_list(struct intake *in, const struct intake_callbacks *cb, DIR *d, struct submitted **out)
{
	size_t n = 0, cap = 0;
	struct submitted *all = NULL, one = { .left = false };
	struct dirent *e;
	struct fail f;

	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (!submission_parse_name(e->d_name, &one.hlc)) {
			fail_set(&f, EXIT_USAGE, "in/%s: is not named as a submission", e->d_name);
			in->refused++;
			cb->refused(&f, cb->cookie);
			entry_remove(d, e->d_name);
			continue;
		}
		memcpy(one.name, e->d_name, strlen(e->d_name) + 1);	/* its length was checked */
		all = xgrow(all, n, &cap, sizeof *all);
		all[n++] = one;
	}
	if (n > 0)
		qsort(all, n, sizeof *all, compare_names);
	*out = all;
	return n;
}

/* Commit a batch: then its files are removed, and the calls that it answers closed. */
static int
batch_end(struct intake *in, const struct intake_callbacks *cb, DIR *d, const struct submitted *s, size_t n)
{
	int r = n > 0 || in->n_answered > 0 || in->partial_lines > 0 ? cb->commit(cb->cookie) : 0;

	for (size_t i = 0; i < in->n_answered; i++) {
		if (r == 0)
			calls_close(in->dir, in->answered[i]);
		free(in->answered[i]);
	}
	in->n_answered = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		if (!s[i].left)
			entry_remove(d, s[i].name);
	return r;
}

int
intake_scan(struct intake *in, const struct intake_callbacks *cb)
{
	_cleanup_free_ char *path = xasprintf("%s/in", in->dir);
	DIR *d = opendir(path);
	_cleanup_free_ struct submitted *all = NULL;
	size_t n, done = 0, i;
	int r = 0;

	if (!d)
		return -errno;
	in->full = false;
	n = names_list(in, cb, d, &all);
	for (i = 0; i < n && r == 0; i++) {
		_cleanup_buf_ struct buf text = BUF_INIT;
		struct fail f;
		uid_t uid = (uid_t)-1;

		if (i - done == BATCH) {
			r = batch_end(in, cb, d, all + done, BATCH);
			done = i;
			if (r < 0)
				break;
		}
		r = submission_load(dirfd(d), all[i].name, &text, &uid, &f);
		if (r < 0) {
			refuse_submission(in, cb, all[i].name, &f);
			r = 0;
			continue;
		}
		all[i].left = text_accept(in, cb, &all[i], text.s, text.len, uid) == INTAKE_FULL;
	}
	if (r == 0)
		r = batch_end(in, cb, d, all + done, i - done);
	closedir(d);
	return r < 0 ? r : (int)i;
}

void
intake_sweep(struct intake *in, int64_t now_ms)
{
	_cleanup_free_ char *path = xasprintf("%s/in", in->dir);
	DIR *d = opendir(path);
	struct stat st;

	for (struct dirent *e; d && (e = readdir(d)) != NULL; ) {
		if (e->d_name[0] != '.' || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* of its times, the one that its owner cannot set */
		if (st.st_ctim.tv_sec * INT64_C(1000) < now_ms - SUBMISSION_DONE_MS &&
		    unlinkat(dirfd(d), e->d_name, 0) < 0 && errno == EISDIR)
			(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	if (d)
		closedir(d);
}

void
intake_release(struct intake *in)
{
	for (size_t i = 0; i < in->n_answered; i++)
		free(in->answered[i]);
	free(in->answered);
	in->answered = NULL;
	in->n_answered = 0;
}
