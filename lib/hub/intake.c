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

struct submitted {
	struct intake_file file;
	bool left;		/* for a later pass: its queue is full */
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

/* *QUEUE: of the records before it in the file, -1 for none. */
static enum intake_verdict
line_accept(struct intake *in, const struct intake_callbacks *cb, struct intake_item *item, uid_t uid, int *queue,
    struct fail *f)
{
	_cleanup_json_ struct json wait = json_get(item->value, "wait");
	_cleanup_free_ char *kind = NULL, *key = NULL, *instance = NULL;
	const char *k = json_get_text(item->value, "kind"), *n = json_get_text(item->value, "key");
	enum intake_verdict v;
	bool urgent;

	item->wait = json_kind(wait) == JSON_TRUE;
	if (!k || !n) {
		fail_set(f, EXIT_USAGE, "in/%s: a line without kind or key", item->name);
		return INTAKE_REFUSED;
	}
	kind = xstrdup(k);
	key = xstrdup(n);
	urgent = submission_is_urgent(kind);
	if (*queue >= 0 && *queue != urgent) {
		fail_set(f, EXIT_USAGE, "in/%s: a %s behind records of the other queue", item->name, kind);
		return INTAKE_REFUSED;
	}
	*queue = urgent;
	if (in->waiting[urgent])
		return INTAKE_FULL;	/* behind one that waits */
	if (submission_check_key(key, f) < 0 || (strcmp(kind, "answer") == 0 && answer_join(in, &item->value, key, &instance, f) < 0) ||
	    authority_check(&in->authority, uid, kind, key, instance, f) < 0)
		return INTAKE_REFUSED;
	v = cb->accept(item, cb->cookie, f);
	if (v == INTAKE_ACCEPTED && strcmp(kind, "answer") == 0) {
		in->answered = xgrow(in->answered, in->n_answered, &in->answered_cap, sizeof *in->answered);
		in->answered[in->n_answered++] = TAKE_PTR(key);
	}
	return v;
}

/* N lines of the file NAME, or all of it.  Its result is one, for the first of them. */
static void
refuse_submission(struct intake *in, const struct intake_callbacks *cb, const char *name, int64_t n, const struct fail *f)
{
	in->refused += n;
	cb->refused(f, n, cb->cookie);
	(void)results_write(in->dir, name, 0, "refused", (int)f->status, f->text, JSON_ABSENT);
}

/* A queue is full behind LINES lines of the file NAME: it goes on there. */
static void
queue_wait(struct intake *in, int queue, const char *name, int lines)
{
	if (!in->waiting[queue]) {
		memcpy(in->parts[queue].name, name, sizeof in->parts[queue].name);
		in->parts[queue].lines = lines;
	}
	in->waiting[queue] = true;
}

/* The lines of NAME that are in a queue already. */
static int
lines_taken(const struct intake *in, const char *name)
{
	for (int i = 0; i < 2; i++)
		if (strcmp(in->parts[i].name, name) == 0)
			return in->parts[i].lines;
	return 0;
}

/* The lines of one file.  INTAKE_FULL: the rest is taken by a later pass. */
static enum intake_verdict
text_accept(struct intake *in, const struct intake_callbacks *cb, const struct intake_file *s, const char *text,
    size_t len, uid_t uid)
{
	const char *end = text + len, *next;
	const int first = lines_taken(in, s->name);
	enum intake_verdict v = INTAKE_ACCEPTED;
	int line = 0, queue = -1;
	int64_t refused = 0;
	struct fail why;

	for (const char *p = text; p < end && v != INTAKE_FULL; p = next, line++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		_cleanup_json_ struct json value = JSON_ABSENT;
		char sub[SUBMISSION_NAME + 16];
		struct intake_item item = { .sub = sub, .name = s->name, .time_ms = s->hlc / 1000 };
		struct fail f;

		next = newline ? newline + 1 : end;
		if (line < first)
			continue;
		snprintf(sub, sizeof sub, line ? "%s.%d" : "%s", s->name, line);
		v = INTAKE_REFUSED;
		if (json_parse(s->name, p, (size_t)((newline ? newline : end) - p), &value, &f) == 0) {
			item.value = json_copy(value);
			v = line_accept(in, cb, &item, uid, &queue, &f);
			json_release(&item.value);
		}
		if (v == INTAKE_FULL)
			queue_wait(in, queue, s->name, line);
		else if (v == INTAKE_ACCEPTED)
			in->accepted++;
		else if (refused++ == 0)
			why = f;
	}
	if (refused > 0)
		refuse_submission(in, cb, s->name, refused, &why);
	return v == INTAKE_FULL ? v : INTAKE_ACCEPTED;
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
files_compare(const struct intake_file *x, const struct intake_file *y)
{
	const int r = (x->hlc > y->hlc) - (x->hlc < y->hlc);

	return r ? r : strcmp(x->name, y->name);
}

static int
compare_names(const void *a, const void *b)
{
	const struct submitted *x = a, *y = b;

	return files_compare(&x->file, &y->file);
}

static void
name_refuse(struct intake *in, const struct intake_callbacks *cb, DIR *d, const char *name)
{
	struct fail f;

	fail_set(&f, EXIT_USAGE, "in/%s: is not named as a submission", name);
	in->refused++;
	cb->refused(&f, 1, cb->cookie);
	entry_remove(d, name);
}

/* The submissions of the directory that the pass has not read, in their order; what has another name is refused. */
static size_t
names_list(struct intake *in, const struct intake_callbacks *cb, DIR *d, struct submitted **out)
{
	size_t n = 0, cap = 0, refused = 0;
	struct submitted *all = NULL, one = { .left = false };
	struct dirent *e;

	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (!submission_parse_name(e->d_name, &one.file.hlc)) {
			if (refused++ < INTAKE_FILES)
				name_refuse(in, cb, d, e->d_name);
			continue;
		}
		memcpy(one.file.name, e->d_name, strlen(e->d_name) + 1);	/* its length was checked */
		if (in->more && files_compare(&one.file, &in->at) <= 0)
			continue;
		all = xgrow(all, n, &cap, sizeof *all);
		all[n++] = one;
	}
	if (n > 0)
		qsort(all, n, sizeof *all, compare_names);
	*out = all;
	return n;
}

/* Commit the slice: then its files are removed, and the calls that it answers closed. */
static int
slice_end(struct intake *in, const struct intake_callbacks *cb, DIR *d, const struct submitted *s, size_t n)
{
	int r = n > 0 ? cb->commit(cb->cookie) : 0;

	for (size_t i = 0; i < in->n_answered; i++) {
		if (r == 0)
			calls_close(in->dir, in->answered[i]);
		free(in->answered[i]);
	}
	in->n_answered = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		if (!s[i].left)
			entry_remove(d, s[i].file.name);
	return r;
}

static void
file_take(struct intake *in, const struct intake_callbacks *cb, DIR *d, struct submitted *s)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	uid_t uid = (uid_t)-1;
	struct fail f;
	int r = submission_load(dirfd(d), s->file.name, &text, &uid, &f);

	if (r == -ENOENT)
		return;		/* its owner took it back */
	if (r < 0)
		refuse_submission(in, cb, s->file.name, 1, &f);
	else
		s->left = text_accept(in, cb, &s->file, text.s, text.len, uid) == INTAKE_FULL;
}

/* A slice begins: it is the first of a pass where no other is under way. */
static void
slice_begin(struct intake *in)
{
	if (!in->more)
		in->waiting[0] = in->waiting[1] = false;
}

/* The slice has read up to AT; the pass is over where nothing is left of it. */
static void
slice_note(struct intake *in, const struct intake_file *at, bool more)
{
	if (at)
		in->at = *at;
	in->more = more;
	in->full = in->waiting[1] || (more && in->full);
	in->left = in->waiting[0] || in->waiting[1];
}

int
intake_scan(struct intake *in, const struct intake_callbacks *cb)
{
	_cleanup_free_ char *path = xasprintf("%s/in", in->dir);
	const int64_t end = clock_mono_ms() + INTAKE_MS;
	struct intake_part was[2];
	_cleanup_free_ struct submitted *all = NULL;
	DIR *d = opendir(path);
	size_t n, i = 0;
	int r;

	if (!d)
		return -errno;
	slice_begin(in);
	memcpy(was, in->parts, sizeof was);
	n = names_list(in, cb, d, &all);
	while (i < n && i < INTAKE_FILES && (i == 0 || clock_mono_ms() < end))
		file_take(in, cb, d, &all[i++]);
	r = slice_end(in, cb, d, all, i);
	closedir(d);
	slice_note(in, i > 0 ? &all[i - 1].file : NULL, r == 0 && i < n);
	if (r < 0)	/* the queues have given back what they took */
		memcpy(in->parts, was, sizeof was);
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
