#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "input/rotation.h"

enum {
	FILES_MAX = 200,
	TRIES = 20,
	NUMBER_MAX = 99999,	/* what has more digits is a date */
};

void
rotation_release(struct rotation *r)
{
	for (size_t i = 0; i < r->n; i++) {
		io_closep(&r->v[i].fd);
		free(r->v[i].name);
	}
	free(r->v);
	*r = (struct rotation){ NULL, 0, false };
}

static bool
ends_in(const char *s, const char *ending)
{
	size_t n = strlen(s), m = strlen(ending);

	return n >= m && strcmp(s + n - m, ending) == 0;
}

/* Is NAME that of a rotated BASE: a dot or a dash, and something that begins with a digit? */
static bool
is_sibling(const char *name, const char *base)
{
	size_t n = strlen(base);

	return strncmp(name, base, n) == 0 && (name[n] == '.' || name[n] == '-') && name[n + 1] >= '0' &&
	    name[n + 1] <= '9' && !ends_in(name, ".gz") && !ends_in(name, ".xz") && !ends_in(name, ".zst") &&
	    !ends_in(name, ".bz2");
}

bool
rotation_is_of(const char *path, const char *log)
{
	return is_sibling(path, log);
}

/* With numbers, the higher is the older; with dates, the name tells among those of the same time. */
static int
by_age(const void *a, const void *b)
{
	const struct rotation_file *x = a, *y = b;

	if (x->number >= 0 && y->number >= 0)
		return x->number > y->number ? -1 : x->number < y->number;
	if (x->number == 0 || y->number == 0)
		return x->number == 0 ? 1 : -1;
	if (x->mtime_ns != y->mtime_ns)
		return x->mtime_ns < y->mtime_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* One more, F; of more than are looked at, the oldest is left out. */
static void
keep(struct rotation *r, struct rotation_file f)
{
	size_t oldest = 0;

	if (r->n < FILES_MAX) {
		r->v = xrealloc(r->v, r->n + 1, sizeof *r->v);
		r->v[r->n++] = f;
		return;
	}
	for (size_t i = 1; i < r->n; i++)
		if (by_age(&r->v[i], &r->v[oldest]) < 0)
			oldest = i;
	if (by_age(&f, &r->v[oldest]) > 0) {
		struct rotation_file left = r->v[oldest];

		r->v[oldest] = f;
		f = left;
	}
	close(f.fd);
	free(f.name);
}

static void
add(struct rotation *r, int dir, const char *name, size_t base_len, bool current)
{
	struct rotation_file f = { .fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	struct stat st;

	if (f.fd < 0)
		return;
	if (fstat(f.fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(f.fd);
		return;
	}
	f.name = xstrdup(name);
	f.dev = st.st_dev;
	f.ino = st.st_ino;
	f.size = st.st_size;
	f.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (!current && num_parse(name + base_len + 1, 1, NUMBER_MAX, &f.number) < 0)
		f.number = -1;
	keep(r, f);
	r->current |= current;
}

static int
scan(const char *path, struct rotation *out)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	_cleanup_free_ char *dir = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	DIR *d = opendir(dir);

	*out = (struct rotation){ NULL, 0, false };
	if (!d)
		return -errno;
	for (const struct dirent *e; (e = readdir(d)); )
		if (is_sibling(e->d_name, base))
			add(out, dirfd(d), e->d_name, strlen(base), false);
	add(out, dirfd(d), base, strlen(base), true);
	closedir(d);
	if (out->n)
		qsort(out->v, out->n, sizeof *out->v, by_age);
	return 0;
}

static bool
are_same(const struct rotation *a, const struct rotation *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].ino != b->v[i].ino || a->v[i].dev != b->v[i].dev || strcmp(a->v[i].name, b->v[i].name) != 0)
			return false;
	return true;
}

static bool
same_bytes(int a, int b, int64_t off, size_t n)
{
	char x[ROTATION_TAIL], y[ROTATION_TAIL];

	return pread(a, x, n, off) == (ssize_t)n && pread(b, y, n, off) == (ssize_t)n && memcmp(x, y, n) == 0;
}

/* A copy of the file that has not been truncated yet is none of its own. */
static void
leave_out_copy(struct rotation *r)
{
	struct rotation_file *copy = r->n > 1 ? &r->v[r->n - 2] : NULL, *f = copy + 1;
	size_t n;

	if (!copy || !r->current || f->size == 0 || copy->size > f->size)
		return;
	n = copy->size < ROTATION_TAIL ? (size_t)copy->size : ROTATION_TAIL;
	if (!same_bytes(copy->fd, f->fd, 0, n) || !same_bytes(copy->fd, f->fd, copy->size - (int64_t)n, n))
		return;
	close(copy->fd);
	free(copy->name);
	*copy = *f;
	r->n--;
}

/* Names may be moved on while they are read: they are right when two looks agree. */
int
rotation_open(const char *path, struct rotation *out)
{
	struct rotation again;
	int r = scan(path, out);

	for (int i = 0; r == 0 && i < TRIES; i++) {
		bool same;

		r = scan(path, &again);
		same = r == 0 && are_same(out, &again);
		rotation_release(out);
		*out = again;
		if (same)
			break;
	}
	if (r == 0)
		leave_out_copy(out);
	return r;
}

int
rotation_mark(int fd, struct rotation_place *at)
{
	ssize_t n;

	at->n_tail = at->off < ROTATION_TAIL ? (size_t)at->off : ROTATION_TAIL;
	n = pread(fd, at->tail, at->n_tail, at->off - (int64_t)at->n_tail);
	if (n == (ssize_t)at->n_tail)
		return 0;
	at->n_tail = 0;
	return n < 0 ? -errno : -ESTALE;
}

bool
rotation_holds(int fd, const struct rotation_place *at)
{
	char tail[ROTATION_TAIL];

	return pread(fd, tail, at->n_tail, at->off - (int64_t)at->n_tail) == (ssize_t)at->n_tail &&
	    memcmp(tail, at->tail, at->n_tail) == 0;
}

ssize_t
rotation_find(const struct rotation *r, const struct rotation_place *at)
{
	ssize_t copy = -1;

	for (size_t i = 0; i < r->n; i++) {
		const struct rotation_file *f = &r->v[i];
		bool same = f->ino == at->ino && f->dev == at->dev;

		if (f->size < at->off || (!same && at->n_tail == 0) || !rotation_holds(f->fd, at))
			continue;
		if (same)
			return (ssize_t)i;
		if (copy < 0)
			copy = (ssize_t)i;
	}
	return copy;
}

size_t
rotation_after(const struct rotation *r, const struct rotation_place *at)
{
	for (size_t k = 0; k < r->n; k++)
		if (r->v[k].ino == at->ino && r->v[k].dev == at->dev && rotation_holds(r->v[k].fd, at))
			return k + 1;
	return rotation_newer(r, at->mtime_ns);
}

size_t
rotation_newer(const struct rotation *r, int64_t mtime_ns)
{
	size_t i = r->n - r->current;

	while (i > 0 && r->v[i - 1].mtime_ns > mtime_ns)
		i--;
	return i;
}
