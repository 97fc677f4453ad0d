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

/* A line is cut there; what it matches stands at its begin. */
enum { LINE_MAX_BYTES = 65536, BLOCK = 65536, BEGIN_MS = 10000, GRACE_MS = 500 };

struct seen {			/* a file and how far it was read */
	dev_t dev;
	ino_t ino;
	off_t at;
};

struct log_probe {
	const struct profile *p;
	regex_t re;
	struct seen *seen;
	size_t n_seen, cap_seen;
	char **cursors;		/* of each log's journal; NULL where it has none, or nothing in it */
};

/* Lines as they come in pieces. */
struct cutter {
	const regex_t *re;
	struct buf line;
	bool found;
	char **cursor;		/* where "-- cursor: ..." goes; NULL for nowhere */
};

static void
line_end(struct cutter *c)
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
cut(struct cutter *c, const char *p, size_t n)
{
	for (const char *end = p + n, *nl; p < end; p = nl + 1) {
		size_t room = LINE_MAX_BYTES - c->line.len, len;

		nl = memchr(p, '\n', (size_t)(end - p));
		len = (size_t)((nl ? nl : end) - p);
		buf_add(&c->line, p, len < room ? len : room);
		if (!nl)
			return;
		line_end(c);
	}
}

static struct seen *
find(struct log_probe *l, const struct stat *st)
{
	for (size_t i = 0; i < l->n_seen; i++)
		if (l->seen[i].dev == st->st_dev && l->seen[i].ino == st->st_ino)
			return &l->seen[i];
	l->seen = xgrow(l->seen, l->n_seen, &l->cap_seen, sizeof *l->seen);
	l->seen[l->n_seen] = (struct seen){ .dev = st->st_dev, .ino = st->st_ino };
	return &l->seen[l->n_seen++];
}

/* What was added to the file FD since it was last looked at; 1 where a line of it matches. */
static int
read_file(struct log_probe *l, int fd, struct seen *s)
{
	_cleanup_free_ char *block = xrealloc(NULL, BLOCK, 1);
	struct cutter c = { .re = &l->re, .line = BUF_INIT };
	off_t at = s->at;
	ssize_t n;

	while (!c.found && (n = pread(fd, block, BLOCK, at)) > 0) {
		const char *nl = memrchr(block, '\n', (size_t)n);

		cut(&c, block, (size_t)n);
		at += n;
		if (nl)		/* what is behind it is not yet a line */
			s->at = at - (block + n - nl) + 1;
	}
	buf_release(&c.line);
	return c.found;
}

/* The file PATH: SKIP what is in it, or look. */
static int
look_at_file(struct log_probe *l, const char *path, bool skip)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct seen *s;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	s = find(l, &st);
	if (skip)
		s->at = st.st_size;
	else if (st.st_size < s->at)
		s->at = 0;
	return skip ? 0 : read_file(l, fd, s);
}

static int
look_at_files(struct log_probe *l, const char *pattern, bool skip)
{
	int found = 0;
	glob_t g;

	if (glob(pattern, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc && !found; i++)
			found = look_at_file(l, g.gl_pathv[i], skip);
	globfree(&g);
	return found;
}

/* journalctl, as it runs. */
struct reader {
	struct loop *loop;
	struct cutter cut;
	struct fail *f;
};

static void
take(int fd, const char *p, size_t n, void *cookie)
{
	struct reader *r = cookie;

	if (fd == 1)
		cut(&r->cut, p, n);
}

static void
ended(const struct spawn_result *result, void *cookie)
{
	struct reader *r = cookie;
	_cleanup_buf_ struct buf what = BUF_INIT;
	int e = 0;

	/* 1 is also what it ends with where there is nothing to show */
	if (result->error || result->timed_out || result->status > 1) {
		spawn_describe(result, &what);
		e = fail_set(r->f, result->timed_out ? EXIT_TIMEOUT : EXIT_TROUBLE, "journalctl: %s",
		    what.s);
	}
	loop_stop(r->loop, e);
}

/* The journal of UNIT from *CURSOR on: SKIP what is in it, or look; *CURSOR is then its end. */
static int
look_at_journal(struct log_probe *l, const char *unit, char **cursor, bool skip, int64_t timeout_ms,
    struct fail *f)
{
	_cleanup_free_ char *u = xasprintf("--unit=%s", unit);
	_cleanup_free_ char *from = *cursor && !skip ? xasprintf("--after-cursor=%s", *cursor)
	    : xstrdup(skip ? "--lines=1" : "--lines=1000");
	const char *argv[] = { "journalctl", "--quiet", "--no-pager", "--output=cat", "--show-cursor",
	    u, from, NULL };
	/* execvp(3) takes no const, and changes nothing */
	const union { const char *const *ours; char *const *theirs; } words = { .ours = argv };
	const struct spawn_spec spec = { .argv = words.theirs, .timeout_ms = timeout_ms,
	    .grace_ms = GRACE_MS, .output = take };
	struct reader r = { .loop = loop_new(), .f = f,
	    .cut = { .re = &l->re, .line = BUF_INIT, .cursor = cursor } };
	int e;

	spawn_start(r.loop, &spec, ended, &r);
	e = loop_run(r.loop);
	loop_free(r.loop);
	buf_release(&r.cut.line);
	return e < 0 ? e : r.cut.found && !skip;
}

static int
read_new_lines(struct log_probe *l, bool skip, int64_t timeout_ms, struct fail *f)
{
	int found = 0;

	for (size_t i = 0; i < l->p->n_logs && found == 0; i++) {
		const struct profile_log *log = &l->p->logs[i];

		if (log->path)
			found = look_at_files(l, log->path, skip);
		if (log->journal && found == 0)
			found = look_at_journal(l, log->journal, &l->cursors[i], skip, timeout_ms, f);
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
	if (read_new_lines(l, true, BEGIN_MS, f) >= 0)
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
	free(l->seen);
	free(l);
}

void
log_probe_skip(struct log_probe *l)
{
	struct fail f;

	(void)read_new_lines(l, true, BEGIN_MS, &f);
}

int
log_probe_check(struct log_probe *l, int64_t timeout_ms, struct fail *f)
{
	int r = read_new_lines(l, false, timeout_ms, f);

	return r == -ETIMEDOUT ? 0 : r;		/* slow, and asked again */
}
