#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "log/spool.h"

enum { AT_ONCE = 64 << 10 };

struct spooled {
	struct source *source;
	int file;
};

struct spool {
	struct spooled *v;
	struct pollfd *pfds;
	size_t n, open;			/* sources, and those that are not at their end */
	int64_t left;
	char *buf;
};

/* N bytes at P came of S. */
static int
spool_add(struct spool *sp, const struct spooled *s, const char *p, size_t n, struct fail *f)
{
	int r;

	if ((int64_t)n > sp->left) {
		fail_set(f, EXIT_TROUBLE, "%s: more than --spool holds has to be read twice", s->source->name);
		fail_hint(f, "name the file itself, say --spool=SIZE, or leave out --exact");
		return -EFBIG;
	}
	sp->left -= (int64_t)n;
	r = io_write_all(s->file, p, n);
	return r < 0 ? fail_errno(f, r, "%s: cannot be copied into a file", s->source->name) : 0;
}

/* Source S has something, or is at its end. */
static int
spool_read(struct spool *sp, size_t i, struct fail *f)
{
	const struct spooled *s = &sp->v[i];
	ssize_t n = io_read(s->source->fd, sp->buf, AT_ONCE);

	if (n > 0)
		return spool_add(sp, s, sp->buf, (size_t)n, f);
	if (n < 0)
		return fail_errno(f, (int)n, "%s", s->source->name);
	sp->pfds[i].fd = -1;
	sp->open--;
	return 0;
}

static int
spool_begin(struct spool *sp, struct source *s, struct fail *f)
{
	struct spooled *x = &sp->v[sp->n];

	if (s->feed || s->fd < 0)
		return fail_set(f, EXIT_USAGE, "%s: cannot be read twice, as --exact needs", s->name);
	*x = (struct spooled){ s, file_open_nameless() };
	if (x->file < 0)
		return fail_errno(f, x->file, "%s: cannot be copied into a file", s->name);
	sp->pfds[sp->n++] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	sp->open += !s->eof;
	if (s->eof)
		sp->pfds[sp->n - 1].fd = -1;
	/* Its first bytes were read already, to tell its format. */
	return spool_add(sp, x, s->buf, s->hi, f);
}

static int
spool_all(struct spool *sp, struct fail *f)
{
	while (sp->open) {
		if (poll(sp->pfds, sp->n, -1) < 0) {
			if (errno == EINTR)
				continue;
			return fail_errno(f, errno, "poll");
		}
		for (size_t i = 0; i < sp->n; i++) {
			int r = sp->pfds[i].fd >= 0 && sp->pfds[i].revents ? spool_read(sp, i, f) : 0;

			if (r < 0)
				return r;
		}
	}
	return 0;
}

int
spool_run(struct sources *all, int64_t limit, struct fail *f)
{
	struct spool sp = { .v = xcalloc(all->n + 1, sizeof *sp.v), .pfds = xcalloc(all->n + 1, sizeof *sp.pfds),
	    .left = limit, .buf = xrealloc(NULL, AT_ONCE, 1) };
	int r = 0;

	for (unsigned i = 0; i < all->n && r == 0; i++)
		if (!all->v[i]->seekable)
			r = spool_begin(&sp, all->v[i], f);
	if (r == 0)
		r = spool_all(&sp, f);
	for (size_t i = 0; i < sp.n; i++) {
		if (r < 0) {
			close(sp.v[i].file);
			continue;
		}
		close(sp.v[i].source->fd);
		sp.v[i].source->fd = sp.v[i].file;
		sp.v[i].source->seekable = true;
		source_rewind(sp.v[i].source);
	}
	free(sp.buf);
	free(sp.pfds);
	free(sp.v);
	return r;
}
