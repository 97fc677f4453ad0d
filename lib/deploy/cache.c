#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/sha.h"
#include "base/xalloc.h"
#include "deploy/cache.h"

static const char *const algorithms[] = { "sha256", "sha384", "sha512" };

struct cached {
	char *path;
	int64_t bytes;
	struct timespec used;
};

struct listing_of_cache {
	struct cached *v;
	size_t n, cap;
	int64_t bytes;
};

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* Does M name the content HEX? */
static bool
manifest_names(const struct manifest *m, const char *hex)
{
	char own[SHA_HEX];

	for (size_t i = 0; m && i < m->n_files; i++)
		if (sha_hex(m->files[i].hash, own) == 0 && strcmp(own, hex) == 0)
			return true;
	return false;
}

/* Also what the manifests name that the goal's manifest refers to, where they are cached. */
static bool
is_needed(const char *cache, const struct goal *g, const char *hex)
{
	const struct manifest *m = g ? g->manifest : NULL;

	if (!m || manifest_names(m, hex))
		return m != NULL;
	for (size_t i = 0; i < m->n_steps; i++) {
		const struct payload *p = m->steps[i].detached ? manifest_file(m, m->steps[i].detached) : NULL;
		struct manifest *child = NULL;
		struct fail f;
		bool found = false;

		if (p && manifest_load(p, cache, g->urls, &child, &f) == 0)
			found = manifest_names(child, hex);
		manifest_free(child);
		if (found)
			return true;
	}
	return false;
}

static void
remove_parts_in(const char *dir, const char *cache, const struct goal *g)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_cleanup_free_ char *hex = NULL;
		_cleanup_fd_ int fd = -1;

		if (*e->d_name != '.' || !ends_with(e->d_name, ".part"))
			continue;
		hex = xstrndup(e->d_name + 1, strlen(e->d_name) - strlen("..part"));
		if (is_needed(cache, g, hex))
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && lock_try(fd) == 0)
			discard_at(dirfd(d), e->d_name);
	}
	if (d)
		closedir(d);
}

void
cache_remove_parts(const char *cache, const struct goal *g)
{
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
		_cleanup_free_ char *dir = xasprintf("%s/%s", cache, algorithms[i]);

		remove_parts_in(dir, cache, g);
	}
}

static void
list_dir(const char *dir, struct listing_of_cache *l)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		struct stat st;

		if (*e->d_name == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		l->v = xgrow(l->v, l->n, &l->cap, sizeof *l->v);
		l->v[l->n++] = (struct cached){ .path = xasprintf("%s/%s", dir, e->d_name), .bytes = st.st_size,
		    .used = st.st_mtim };
		l->bytes += st.st_size;
	}
	if (d)
		closedir(d);
}

static int
by_use(const void *a, const void *b)
{
	const struct cached *x = a, *y = b;

	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
	return x->used.tv_nsec < y->used.tv_nsec ? -1 : x->used.tv_nsec > y->used.tv_nsec;
}

int64_t
cache_trim(const char *cache, const struct goal *g, int64_t max)
{
	struct listing_of_cache l = { NULL, 0, 0, 0 };
	int64_t removed = 0;

	cache_remove_parts(cache, g);
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
		_cleanup_free_ char *dir = xasprintf("%s/%s", cache, algorithms[i]);

		list_dir(dir, &l);
	}
	if (l.n > 0)
		qsort(l.v, l.n, sizeof *l.v, by_use);
	for (size_t i = 0; i < l.n && l.bytes - removed > max; i++)
		if (!is_needed(cache, g, strrchr(l.v[i].path, '/') + 1) &&
		    discard_at(AT_FDCWD, l.v[i].path) == 0)
			removed += l.v[i].bytes;
	for (size_t i = 0; i < l.n; i++)
		free(l.v[i].path);
	free(l.v);
	return removed;
}
