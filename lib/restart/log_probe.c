#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/loop.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "restart/log_probe.h"

/* Lines are cut at LINE_MAX_BYTES; a file is compared by SAMPLE bytes at two places. */
enum { LINE_MAX_BYTES = 65536, BLOCK = 65536, BEGIN_MS = 10000, GRACE_MS = 500, SAMPLE = 512 };

struct sample {			/* bytes of a file */
	off_t at;
	size_t n;
	char b[SAMPLE];
};

struct seen {			/* a file and how far it was read */
	dev_t dev;
	ino_t ino;
	off_t at;
	struct timespec changed;
	struct sample head, tail;	/* at its begin, and before AT */
};

struct log_probe {
	const struct profile *p;
	regex_t re;
	struct seen *seen;
	size_t n_seen, cap_seen;
	char **cursors;		/* of each log's journal; NULL for none */
	char *invocation;	/* that the cursor of the unit's own journal is of; NULL for none */
};

/* Splits pieces of bytes into lines and matches them. */
struct line_matcher {
	const regex_t *re;
	struct buf line;
	bool found;
	char **cursor;		/* set to the text after "-- cursor: "; NULL to ignore it */
};

static void
match_line(struct line_matcher *c)
{
	static const char mark[] = "-- cursor: ";

	if (c->cursor && strncmp(c->line.s, mark, sizeof mark - 1) == 0) {
		free(*c->cursor);
		*c->cursor = xstrdup(c->line.s + sizeof mark - 1);
	} else if (regexec(c->re, c->line.s, 0, NULL, 0) == 0) {
		c->found = true;
	}
	buf_reset(&c->line);
}

static void
add_bytes(struct line_matcher *c, const char *p, size_t n)
{
	for (const char *end = p + n, *nl; p < end; p = nl + 1) {
		size_t room = LINE_MAX_BYTES - c->line.len, len;

		nl = memchr(p, '\n', (size_t)(end - p));
		len = (size_t)((nl ? nl : end) - p);
		buf_add(&c->line, p, len < room ? len : room);
		if (!nl)
			return;
		match_line(c);
	}
}

static struct seen *
find_seen(struct log_probe *l, const struct stat *st)
{
	for (size_t i = 0; i < l->n_seen; i++)
		if (l->seen[i].dev == st->st_dev && l->seen[i].ino == st->st_ino)
			return &l->seen[i];
	l->seen = xgrow(l->seen, l->n_seen, &l->cap_seen, sizeof *l->seen);
	l->seen[l->n_seen] = (struct seen){ .dev = st->st_dev, .ino = st->st_ino };
	return &l->seen[l->n_seen++];
}

static void
take_sample(int fd, off_t at, off_t end, struct sample *m)
{
	const size_t want = end - at < SAMPLE ? (size_t)(end - at) : SAMPLE;
	ssize_t n = pread(fd, m->b, want, at);

	m->at = at;
	m->n = n > 0 ? (size_t)n : 0;
}

static bool
still_holds(int fd, const struct sample *m)
{
	char now[SAMPLE];

	return m->n == 0 || (pread(fd, now, m->n, m->at) == (ssize_t)m->n && memcmp(now, m->b, m->n) == 0);
}

static void
remember_position(int fd, const struct stat *st, off_t at, struct seen *s)
{
	s->at = at;
	s->changed = st->st_mtim;
	take_sample(fd, 0, at, &s->head);
	take_sample(fd, at > SAMPLE ? at - SAMPLE : 0, at, &s->tail);
}

/* A log that is truncated at the start of its agent may be as long as before when it is seen. */
static bool
was_rewritten(int fd, const struct stat *st, const struct seen *s)
{
	if (st->st_size < s->at || !still_holds(fd, &s->head) || !still_holds(fd, &s->tail))
		return true;
	return st->st_size == s->at && s->at > 0 && (st->st_mtim.tv_sec != s->changed.tv_sec ||
	    st->st_mtim.tv_nsec != s->changed.tv_nsec);
}

/* Match the lines added to the file FD since it was read last: 1 if one matches. */
static int
read_file(struct log_probe *l, int fd, const struct stat *st, struct seen *s)
{
	_cleanup_free_ char *block = xrealloc(NULL, BLOCK, 1);
	struct line_matcher c = { .re = &l->re, .line = BUF_INIT };
	off_t at = s->at, whole = s->at;
	ssize_t n;

	while (!c.found && (n = pread(fd, block, BLOCK, at)) > 0) {
		const char *nl = memrchr(block, '\n', (size_t)n);

		add_bytes(&c, block, (size_t)n);
		at += n;
		if (nl)		/* the rest is not a line yet */
			whole = at - (block + n - nl) + 1;
	}
	remember_position(fd, st, whole, s);
	buf_release(&c.line);
	return c.found;
}

static int
check_file(struct log_probe *l, const char *path, bool skip)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct seen *s;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	s = find_seen(l, &st);
	if (skip) {
		remember_position(fd, &st, st.st_size, s);
		return 0;
	}
	if (was_rewritten(fd, &st, s))
		*s = (struct seen){ .dev = st.st_dev, .ino = st.st_ino };
	return read_file(l, fd, &st, s);
}

static int
check_files(struct log_probe *l, const char *pattern, bool skip)
{
	int found = 0;
	glob_t g;

	if (glob(pattern, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc && !found; i++)
			found = check_file(l, g.gl_pathv[i], skip);
	globfree(&g);
	return found;
}

/* A run of journalctl. */
struct reader {
	struct loop *loop;
	struct line_matcher lines;
	struct fail *f;
};

static void
add_output(int fd, const char *p, size_t n, void *cookie)
{
	struct reader *r = cookie;

	if (fd == 1)
		add_bytes(&r->lines, p, n);
}

static void
journalctl_ended(const struct spawn_result *result, void *cookie)
{
	struct reader *r = cookie;
	_cleanup_buf_ struct buf what = BUF_INIT;
	int e = 0;

	/* status 1 also means that there is nothing to show */
	if (result->error || result->timed_out || result->status > 1) {
		spawn_describe(result, &what);
		e = fail_set(r->f, result->timed_out ? EXIT_TIMEOUT : EXIT_TROUBLE, "journalctl: %s",
		    what.s);
	}
	loop_stop(r->loop, e);
}

/* The cursor of the unit's own journal is of INVOCATION from here on. */
static void
set_invocation(struct log_probe *l, const char *invocation, char **cursor)
{
	if (!invocation || (l->invocation && strcmp(l->invocation, invocation) == 0))
		return;
	free(l->invocation);
	l->invocation = xstrdup(invocation);
	free(TAKE_PTR(*cursor));
}

/*
 * Read the journal of UNIT from *CURSOR on, or that of INVOCATION; *CURSOR is set
 * to its end.  A cursor must be of an entry that the match selects: journalctl(1)
 * seeks to it, and with --after-cursor skips the first entry that it finds there.
 */
static int
check_journal(struct log_probe *l, const char *unit, const char *invocation, char **cursor,
    bool skip, int64_t timeout_ms, struct fail *f)
{
	_cleanup_free_ char *match = invocation ?
	    xasprintf("_SYSTEMD_INVOCATION_ID=%s", invocation) : xasprintf("--unit=%s", unit);
	_cleanup_free_ char *from = skip ? xstrdup("--lines=1") : *cursor ?
	    xasprintf("--after-cursor=%s", *cursor) : xstrdup(invocation ? "--lines=all" : "--lines=1000");
	const char *argv[] = { "journalctl", "--quiet", "--no-pager", "--output=cat", "--show-cursor",
	    from, match, NULL };
	/* execvp(3) takes no const, and changes nothing */
	const union { const char *const *ours; char *const *theirs; } words = { .ours = argv };
	const struct spawn_spec spec = { .argv = words.theirs, .timeout_ms = timeout_ms,
	    .grace_ms = GRACE_MS, .output = add_output };
	struct reader r = { .loop = loop_new(), .f = f,
	    .lines = { .re = &l->re, .line = BUF_INIT, .cursor = cursor } };
	int e;

	spawn_start(r.loop, &spec, journalctl_ended, &r);
	e = loop_run(r.loop);
	loop_free(r.loop);
	buf_release(&r.lines.line);
	return e < 0 ? e : r.lines.found && !skip;
}

static int
read_new_lines(struct log_probe *l, bool skip, const char *invocation, int64_t timeout_ms,
    struct fail *f)
{
	const char *unit = l->p->unit ? l->p->unit : "";
	int found = 0;

	for (size_t i = 0; i < l->p->n_logs && found == 0; i++) {
		const struct profile_log *log = &l->p->logs[i];

		if (log->path)
			found = check_files(l, log->path, skip);
		if (log->journal && found == 0) {
			const char *of = strcmp(log->journal, unit) == 0 && !skip ? invocation : NULL;

			if (skip)
				free(TAKE_PTR(l->invocation));	/* the cursor is of the unit then */
			set_invocation(l, of, &l->cursors[i]);
			found = check_journal(l, log->journal, of, &l->cursors[i], skip, timeout_ms, f);
		}
	}
	return found;
}

struct log_probe *
log_probe_open(const struct profile *p, struct fail *f)
{
	struct log_probe *l = xcalloc(1, sizeof *l);

	l->p = p;
	l->cursors = xcalloc(p->n_logs + 1, sizeof *l->cursors);
	if (regcomp(&l->re, p->restart.ready_log, REG_EXTENDED | REG_NOSUB) != 0)
		abort();	/* the profile's parser has compiled it */
	if (read_new_lines(l, true, NULL, BEGIN_MS, f) >= 0)
		return l;
	log_probe_close(l);
	return NULL;
}

void
log_probe_close(struct log_probe *l)
{
	if (!l)
		return;
	regfree(&l->re);
	for (size_t i = 0; i < l->p->n_logs; i++)
		free(l->cursors[i]);
	free(l->cursors);
	free(l->invocation);
	free(l->seen);
	free(l);
}

void
log_probe_skip(struct log_probe *l)
{
	struct fail f;

	(void)read_new_lines(l, true, NULL, BEGIN_MS, &f);
}

int
log_probe_check(struct log_probe *l, const char *invocation, int64_t timeout_ms, struct fail *f)
{
	int r = read_new_lines(l, false, invocation, timeout_ms, f);

	return r == -ETIMEDOUT ? 0 : r;		/* slow: asked again later */
}
