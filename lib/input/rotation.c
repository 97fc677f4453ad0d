#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "input/filter_command.h"
#include "input/rotation.h"

enum {
	FILES_MAX = 200,
	TRIES = 20,
	NUMBER_MAX = 99999,	/* what has more digits is a date */
};

/* A compressor keeps the time of the file in whole seconds, or in microseconds. */
#define PACKED_NS	INT64_C(1000000000)

static void
file_release(struct rotation_file *f)
{
	io_closep(&f->fd);
	free(f->path);
}

void
rotation_release(struct rotation *r)
{
	for (size_t i = 0; i < r->n; i++)
		file_release(&r->v[i]);
	free(r->v);
	*r = (struct rotation){ .v = NULL };
}

/* Is NAME that of a rotated BASE: a dot or a dash, and something that begins with a digit? */
static bool
is_sibling(const char *name, const char *base)
{
	size_t n = strlen(base);

	return strncmp(name, base, n) == 0 && (name[n] == '.' || name[n] == '-') && name[n + 1] >= '0' &&
	    name[n + 1] <= '9';
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
	return strcmp(x->path, y->path);
}

/* One more, F; of more than FILES_MAX the oldest is left out. */
static void
keep_file(struct rotation *r, struct rotation_file f)
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
	file_release(&f);
}

/* The suffix of NAME behind BASE_LEN bytes and a separator, without that of its compressor, as a number. */
static int64_t
suffix_number(const char *name, size_t base_len, bool packed)
{
	const char *suffix = name + base_len + 1;
	_cleanup_free_ char *text = xstrndup(suffix, packed ? (size_t)(strrchr(suffix, '.') - suffix) : strlen(suffix));
	int64_t n;

	return num_parse(text, 1, NUMBER_MAX, &n) < 0 ? -1 : n;
}

static void
add_file(struct rotation *r, const char *dir, const char *name, size_t base_len, bool current)
{
	struct rotation_file f = { .fd = -1, .path = xasprintf("%s%s", dir, name) };
	struct stat st;

	if (stat(f.path, &st) < 0 || !S_ISREG(st.st_mode)) {
		free(f.path);
		return;
	}
	f.packed = !current && filter_command_of(name) && strchr(name + base_len + 1, '.');
	f.dev = st.st_dev;
	f.ino = st.st_ino;
	f.size = st.st_size;
	f.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (!current)
		f.number = suffix_number(name, base_len, f.packed);
	keep_file(r, f);
	r->current |= current;
}

/* F is PATH.1.gz, and PATH.1 is there, too. */
static bool
is_being_packed(const struct rotation *r, const struct rotation_file *f)
{
	size_t n = (size_t)(strrchr(f->path, '.') - f->path);

	for (size_t i = 0; f->packed && i < r->n; i++)
		if (strlen(r->v[i].path) == n && strncmp(r->v[i].path, f->path, n) == 0)
			return true;
	return false;
}

static void
leave_out(struct rotation *r, size_t i)
{
	file_release(&r->v[i]);
	memmove(&r->v[i], &r->v[i + 1], (--r->n - i) * sizeof *r->v);
}

static int
scan_directory(const char *path, struct rotation *out)
{
	char target[PATH_MAX];
	const char *real = realpath(path, target) ? target : path, *slash = strrchr(real, '/');
	const char *base = slash ? slash + 1 : real;
	_cleanup_free_ char *dir = slash ? xstrndup(real, (size_t)(slash - real) + 1) : xstrdup("./");
	DIR *d = opendir(dir);

	*out = (struct rotation){ .v = NULL };
	if (!d)
		return -errno;
	for (const struct dirent *e; (e = readdir(d)); )
		if (is_sibling(e->d_name, base))
			add_file(out, dir, e->d_name, strlen(base), false);
	closedir(d);
	for (size_t i = out->n; i-- > 0; )
		if (is_being_packed(out, &out->v[i]))
			leave_out(out, i);
	add_file(out, dir, base, strlen(base), true);
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
		if (a->v[i].ino != b->v[i].ino || a->v[i].dev != b->v[i].dev || strcmp(a->v[i].path, b->v[i].path) != 0)
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
	const struct rotation_file *copy = r->n > 1 ? &r->v[r->n - 2] : NULL, *f = copy + 1;
	size_t n;
	int a, b;

	if (!copy || !r->current || copy->packed || f->size == 0 || copy->size > f->size)
		return;
	n = copy->size < ROTATION_TAIL ? (size_t)copy->size : ROTATION_TAIL;
	a = rotation_fd(r, r->n - 2);
	b = rotation_fd(r, r->n - 1);
	if (a >= 0 && b >= 0 && same_bytes(a, b, 0, n) && same_bytes(a, b, copy->size - (int64_t)n, n))
		leave_out(r, r->n - 2);
}

/* Names may be moved on while they are read: they are right when two scans agree. */
int
rotation_open(const char *path, struct rotation *out)
{
	struct rotation again;
	int r = scan_directory(path, out);

	for (int i = 0; r == 0 && i < TRIES; i++) {
		bool same;

		r = scan_directory(path, &again);
		same = r == 0 && are_same(out, &again);
		rotation_release(out);
		*out = again;
		if (same)
			leave_out_copy(out);
		if (same && !out->stale)
			break;
	}
	return r;
}

/* What the compressed file FD holds, as a file of its own; FD is closed. */
static int
unpack(const char *path, int fd)
{
	int unpacked = filter_command_unpack(filter_command_of(path), fd);

	close(fd);
	return unpacked;
}

int
rotation_fd(struct rotation *r, size_t i)
{
	struct rotation_file *f = &r->v[i];
	struct stat st;
	int fd;

	if (f->fd >= 0)
		return f->fd;
	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno != ENOENT)
		return -errno;
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != f->ino || st.st_dev != f->dev) {
		io_closep(&fd);
		r->stale = true;
		return -ESTALE;
	}
	if (f->packed)
		fd = unpack(f->path, fd);
	if (fd >= 0 && fstat(fd, &st) == 0)
		f->size = st.st_size;
	f->fd = fd;
	return fd;
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

/* Does file I hold the place?  One that does not is closed again. */
static bool
holds_place(struct rotation *r, size_t i, const struct rotation_place *at)
{
	struct rotation_file *f = &r->v[i];
	int fd = rotation_fd(r, i);
	bool yes = fd >= 0 && f->size >= at->off && rotation_holds(fd, at);

	if (!yes) {
		io_closep(&f->fd);
		f->fd = -1;
	}
	return yes;
}

ssize_t
rotation_find(struct rotation *r, const struct rotation_place *at)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].ino == at->ino && r->v[i].dev == at->dev && holds_place(r, i, at))
			return (ssize_t)i;
	if (at->n_tail == 0)
		return -1;
	for (size_t i = 0; i < r->n; i++)
		if (!r->v[i].packed && r->v[i].size >= at->off && holds_place(r, i, at))
			return (ssize_t)i;
	/* A file that held the place was not modified for the last time before the place was taken. */
	for (size_t i = r->n; i-- > 0; )
		if (r->v[i].packed && r->v[i].mtime_ns + PACKED_NS > at->mtime_ns && holds_place(r, i, at))
			return (ssize_t)i;
	return -1;
}

size_t
rotation_after(struct rotation *r, const struct rotation_place *at)
{
	for (size_t k = 0; k < r->n; k++)
		if (r->v[k].ino == at->ino && r->v[k].dev == at->dev && holds_place(r, k, at))
			return k + 1;
	for (size_t k = r->n; at->n_tail && k-- > 0; )
		if (r->v[k].packed && r->v[k].mtime_ns + PACKED_NS > at->mtime_ns && holds_place(r, k, at))
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

void
rotation_save(const struct rotation_place *at, struct json *state)
{
	char hex[2 * ROTATION_TAIL + 1] = "";

	for (size_t i = 0; i < at->n_tail; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)at->tail[i]);
	json_set(state, "device", json_number((double)at->dev));
	json_set(state, "inode", json_number((double)at->ino));
	json_set(state, "offset", json_number((double)at->off));
	json_set_text(state, "before", hex);
	json_set(state, "modified_us", json_number((double)(at->mtime_ns / 1000)));
}

int
rotation_restore(struct rotation_place *at, struct json state)
{
	const char *hex = json_get_text(state, "before");

	if (!hex)
		return 0;		/* nothing of it had been read */
	*at = (struct rotation_place){ .dev = (dev_t)json_get_whole_or(state, "device", 0), .ino = (ino_t)json_get_whole_or(state, "inode", 0),
	    .off = json_get_whole_or(state, "offset", 0), .mtime_ns = json_get_whole_or(state, "modified_us", 0) * 1000 };
	for (; at->n_tail < ROTATION_TAIL && hex[2 * at->n_tail] && hex[2 * at->n_tail + 1]; at->n_tail++) {
		char two[3] = { hex[2 * at->n_tail], hex[2 * at->n_tail + 1], '\0' };

		at->tail[at->n_tail] = (char)strtoul(two, NULL, 16);
	}
	return at->off < 0 || (int64_t)at->n_tail > at->off ? -EINVAL : 1;
}
