#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "input/part.h"

enum { SCAN_SIZE = 64 << 10, DESCRIPTORS_KEPT = 6 };

/* Some are kept for what cannot wait: signals, directories, commands. */
static bool
is_last_descriptor(int fd)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd + DESCRIPTORS_KEPT >= limit.rlim_cur;
}

int
part_open(struct part *p, struct rotation *r, size_t i, int64_t off)
{
	struct rotation_file *f = &r->v[i];
	int fd = rotation_fd(r, i);

	if (fd < 0)
		return fd;
	if (is_last_descriptor(fd))
		return -EMFILE;
	f->fd = -1;
	*p = (struct part){ .fd = fd, .at = { .dev = f->dev, .ino = f->ino, .off = off, .mtime_ns = f->mtime_ns },
	    .opened_ns = f->mtime_ns, .whole = off, .scanned = off, .last_newline = true, .unpacked = f->packed };
	if (off)
		rotation_mark(fd, &p->at);
	return 0;
}

int64_t
part_modified_ns(const struct part *p)
{
	struct stat st;

	if (p->unpacked)
		return p->opened_ns;
	return fstat(p->fd, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec : 0;
}

bool
part_is_unlinked(const struct part *p)
{
	struct stat st;

	return !p->unpacked && fstat(p->fd, &st) == 0 && st.st_nlink == 0;
}

bool
part_has_bytes(const struct part *p)
{
	struct stat st;

	return fstat(p->fd, &st) == 0 && st.st_size > p->at.off;
}

/* Is there the end of a line behind what was scanned?  Then WHOLE is behind it. */
static void
scan_ahead(struct part *p)
{
	_cleanup_free_ char *b = xrealloc(NULL, SCAN_SIZE, 1);
	ssize_t n;

	while ((n = pread(p->fd, b, SCAN_SIZE, p->scanned)) > 0) {
		const char *nl = memrchr(b, '\n', (size_t)n);

		if (nl) {
			p->whole = p->scanned + (nl + 1 - b);
			return;
		}
		p->scanned += n;
	}
}

bool
part_has_line(struct part *p)
{
	p->scanned = p->at.off;
	scan_ahead(p);
	return p->whole > p->at.off;
}

/* How many of the N bytes of TO, which are all that could be read or LESS, are of whole lines. */
static size_t
whole_lines(struct part *p, const char *to, size_t n, bool less)
{
	const char *nl = memrchr(to, '\n', n);
	int64_t end = p->at.off + (int64_t)n;

	if (nl)
		return (size_t)(nl + 1 - to);
	if (less)
		return 0;
	if (p->whole < end) {
		p->scanned = p->scanned > end ? p->scanned : end;
		scan_ahead(p);
	}
	return p->whole >= end ? n : 0;
}

ssize_t
part_read(struct part *p, char *to, size_t n, bool torn)
{
	char tail[ROTATION_TAIL];
	struct iovec iov[2] = { { tail, p->at.n_tail }, { to, n } };
	size_t got;
	ssize_t r;

	r = preadv(p->fd, iov, 2, p->at.off - (int64_t)p->at.n_tail);
	if (r < 0)
		return -errno;
	if ((size_t)r < p->at.n_tail || memcmp(tail, p->at.tail, p->at.n_tail) != 0)
		return -ESTALE;
	got = (size_t)r - p->at.n_tail;
	return (ssize_t)(torn ? got : whole_lines(p, to, got, got < n));
}

static void
remember_tail(struct rotation_place *at, const char *p, size_t n)
{
	size_t keep = n >= ROTATION_TAIL ? 0 : ROTATION_TAIL - n;

	if (keep > at->n_tail)
		keep = at->n_tail;
	memmove(at->tail, at->tail + at->n_tail - keep, keep);
	if (n > ROTATION_TAIL) {
		p += n - ROTATION_TAIL;
		n = ROTATION_TAIL;
	}
	memcpy(at->tail + keep, p, n);
	at->n_tail = keep + n;
}

void
part_take(struct part *p, const char *from, size_t n)
{
	remember_tail(&p->at, from, n);
	p->at.off += (int64_t)n;
	p->at.mtime_ns = part_modified_ns(p);
	p->last_newline = from[n - 1] == '\n';
}
