#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/sha.h"
#include "base/utf8.h"
#include "base/writeback.h"
#include "base/xalloc.h"
#include "deploy/download.h"
#include "deploy/payload.h"

enum { BLOCK = 256 * 1024, RANGE = 8 << 20 };

void
payload_release(struct payload *p)
{
	free(p->id);
	free(p->name);
	free(p->algorithm);
	free(p->hash);
	free(p->url);
	xfree_strv(p->more);
	*p = (struct payload){ 0 };
}

/* "file ID (NAME): MESSAGE" */
#define payload_refuse(f, status, p, fmt, ...) \
	fail_set(f, status, "file %s (%s): " fmt, (p)->id, (p)->name, ##__VA_ARGS__)
#define refuse_errno(f, err, p, fmt, ...) \
	fail_errno(f, err, "file %s (%s): " fmt, (p)->id, (p)->name, ##__VA_ARGS__)

bool
payload_is_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (const char *s = name; *s; s++)
		if (*s == '/' || iscntrl((unsigned char)*s))
			return false;
	return utf8_check(name, len) == len;
}

/* P is described rightly; HEX is its hash. */
static int
payload_check(const struct payload *p, char hex[SHA_HEX], struct fail *f)
{
	static const struct { const char *name; size_t digits; } known[] = {
		{ "sha256", 64 }, { "sha384", 96 }, { "sha512", 128 },
	};

	if (!p->name || !payload_is_name(p->name))
		return fail_set(f, EXIT_USAGE, "file %s: fileName '%s' is no file name", p->id,
		    p->name ? p->name : "");
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!p->algorithm || strcasecmp(p->algorithm, known[i].name) != 0)
			continue;
		if (!p->hash || sha_hex(p->hash, hex) < 0 || strlen(hex) != known[i].digits)
			return payload_refuse(f, EXIT_USAGE, p, "'%s' is no %s in base64",
			    p->hash ? p->hash : "", known[i].name);
		return 0;
	}
	return payload_refuse(f, EXIT_USAGE, p, "'%s' is no hash that is known",
	    p->algorithm ? p->algorithm : "");
}

/* The path of the content with hash HEX in the cache: .../sha256/HEX.  Its directory is made. */
static int
content_locate(const struct payload *p, const char *cache, const char *hex, char **path, struct fail *f)
{
	_cleanup_free_ char *dir = xasprintf("%s/%s", cache, p->algorithm);
	int r;

	for (char *s = dir + strlen(cache); *s; s++)
		*s = (char)tolower((unsigned char)*s);
	r = file_make_dirs(dir, 0750);
	if (r < 0)
		return fail_errno(f, r, "%s", dir);
	*path = xasprintf("%s/%s", dir, hex);
	return 0;
}

static int
find_content(const struct payload *p, const char *cache, char hex[SHA_HEX], char **path, struct fail *f)
{
	int r = payload_check(p, hex, f);

	return r < 0 ? r : content_locate(p, cache, hex, path, f);
}

static int
open_regular(const char *path, int flags, struct stat *st)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags);
	int r;

	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -ENOTSUP;
	r = fd;
	fd = -1;
	return r;
}

bool
payload_is_at(const struct payload *p, const char *path)
{
	char want[SHA_HEX], got[SHA_HEX], text[SHA_TEXT];
	struct stat st;
	_cleanup_fd_ int fd = open_regular(path, O_NOFOLLOW, &st);

	return fd >= 0 && (p->size_bytes < 0 || st.st_size == p->size_bytes) &&
	    sha_fd(p->algorithm, fd, text) == 0 && sha_hex(text, got) == 0 &&
	    sha_hex(p->hash, want) == 0 && strcmp(got, want) == 0;
}

int
payload_describe(const char *path, struct payload *out, struct fail *f)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	const char *name = real ? strrchr(real, '/') + 1 : NULL;
	struct stat st;
	_cleanup_fd_ int fd = real ? open_regular(real, 0, &st) : -errno;
	char hash[SHA_TEXT];
	int r = fd < 0 ? fd : sha_fd("sha256", fd, hash);

	if (r == -ENOTSUP)
		return fail_set(f, EXIT_TROUBLE, "%s: is not a regular file", path);
	if (r < 0)
		return fail_errno(f, r, "%s", path);
	if (!payload_is_name(name))
		return fail_set(f, EXIT_USAGE, "%s: '%s' cannot be the name of a payload", path, name);
	*out = (struct payload){
		.id = xstrdup(path), .name = xstrdup(name), .size_bytes = st.st_size,
		.algorithm = xstrdup("sha256"), .hash = xstrdup(hash), .url = payload_url(real),
	};
	return 0;
}

/* What the cache holds under P's name and is not P is removed. */
static bool
is_cached(const struct payload *p, const char *path)
{
	if (payload_is_at(p, path))
		return true;
	unlink(path);
	return false;
}

static int
hex_digit(char c)
{
	return !isxdigit((unsigned char)c) ? -1 :
	    isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

char *
payload_url(const char *path)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "file:");
	for (; *path; path++)
		if (*path == '%')
			buf_puts(&b, "%25");
		else
			buf_putc(&b, *path);
	return buf_steal(&b);
}

char *
payload_url_path(const char *url)
{
	struct buf b = BUF_INIT;

	if (strncasecmp(url, "file:", 5) != 0)
		return NULL;
	url += 5;
	if (strncmp(url, "//", 2) == 0)
		url += strncasecmp(url + 2, "localhost/", 10) == 0 ? 11 : 2;
	for (; *url == '/' || (b.len && *url); url++) {
		if (*url != '%') {
			buf_putc(&b, *url);
			continue;
		}
		int hi = hex_digit(url[1]), lo = hi < 0 ? -1 : hex_digit(url[2]);

		if (lo < 0 || hi + lo == 0)
			break;
		buf_putc(&b, (char)(hi << 4 | lo));
		url += 2;
	}
	if (*url || b.len == 0) {
		buf_release(&b);
		return NULL;
	}
	return buf_steal(&b);
}

static int
open_source(const struct payload *p, struct fail *f)
{
	_cleanup_free_ char *path = p->url ? payload_url_path(p->url) : NULL;
	struct stat st;
	int fd;

	if (!p->url)
		return payload_refuse(f, EXIT_TROUBLE, p, "no URL is given for it");
	if (!path)
		return payload_refuse(f, EXIT_TROUBLE, p, "'%s' is no file:/PATH", p->url);
	fd = open_regular(path, 0, &st);
	if (fd == -ENOTSUP)
		return payload_refuse(f, EXIT_TROUBLE, p, "%s: is not a regular file", path);
	if (fd < 0)
		return refuse_errno(f, fd, p, "%s", path);
	if (p->size_bytes >= 0 && st.st_size != p->size_bytes) {
		close(fd);
		return payload_refuse(f, EXIT_DENIED, p, "%s: has %jd bytes, the manifest says %jd", path,
		    (intmax_t)st.st_size, (intmax_t)p->size_bytes);
	}
	return fd;
}

/* What IN still has to OUT, hashed on the way into HEX. */
static int
copy_hashed(const struct payload *p, int in, int out, char hex[SHA_HEX], struct fail *f)
{
	_cleanup_free_ char *block = xrealloc(NULL, BLOCK, 1);
	struct sha *s = sha_new(p->algorithm);
	struct writeback w = WRITEBACK_FROM(0);
	char text[SHA_TEXT];
	ssize_t n;

	while ((n = io_read(in, block, BLOCK)) > 0) {
		int r = io_write_all(out, block, (size_t)n);

		sha_add(s, block, (size_t)n);
		if (r == 0)
			r = writeback_add(&w, out, (size_t)n);
		if (r < 0)
			n = r;
		download_show(w.end, p->size_bytes);
		if (r < 0 || (p->size_bytes >= 0 && w.end > p->size_bytes))
			break;	/* it grows while it is read */
	}
	sha_end(s, text);
	download_show(w.end, 0);
	return n < 0 ? refuse_errno(f, (int)n, p, "cannot be copied") : sha_hex(text, hex);
}

/* It is said before the disk is full, and other programs have nothing left. */
static int
check_space(const struct payload *p, int fd, struct fail *f)
{
	struct statvfs fs;
	struct stat st;
	int64_t free_bytes, missing;

	if (p->size_bytes < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0)
		return 0;
	missing = p->size_bytes > st.st_size ? p->size_bytes - st.st_size : 0;
	free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	return missing <= free_bytes ? 0 : payload_refuse(f, EXIT_TROUBLE, p, "%jd bytes, and %jd are free",
	    (intmax_t)missing, (intmax_t)free_bytes);
}

/* The file PART, locked: two that fetch the same content do it one after the other. */
static int
open_part(const char *part)
{
	for (;;) {
		struct stat mine, there;
		int fd = lock_open(part, 0640), r = fd < 0 ? fd : lock_wait(fd, -1);

		if (r == 0 && fstat(fd, &mine) == 0 && stat(part, &there) == 0 &&
		    mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
			return fd;
		io_closep(&fd);
		if (r < 0 && r != -EINTR)
			return r;
		/* another had it, and has renamed or removed it since */
	}
}

/* Whatever goes wrong here leaves nothing behind. */
static int
part_copy(const struct payload *p, int part_fd, const char *want, struct fail *f)
{
	_cleanup_fd_ int in = open_source(p, f);
	char got[SHA_HEX] = "";
	int r = in < 0 ? in : 0;

	if (r == 0 && ftruncate(part_fd, 0) < 0)
		r = refuse_errno(f, errno, p, "its copy");
	if (r == 0)
		r = check_space(p, part_fd, f);
	if (r == 0)
		r = copy_hashed(p, in, part_fd, got, f);
	if (r == 0 && strcmp(got, want) != 0)
		r = payload_refuse(f, EXIT_DENIED, p, "%s: is not what its hash says", p->url);
	return r;
}

static bool
is_content(int fd, void *cookie)
{
	const struct payload *p = cookie;
	char text[SHA_TEXT], got[SHA_HEX], want[SHA_HEX];

	return sha_fd(p->algorithm, fd, text) == 0 && sha_hex(text, got) == 0 && sha_hex(p->hash, want) == 0 &&
	    strcmp(got, want) == 0;
}

/* P's URLs that name servers, into a list to be freed; NULL for none. */
static const char **
server_urls(const struct payload *p)
{
	size_t n = 0;
	const char **v;

	while (p->more && p->more[n])
		n++;
	v = xcalloc(n + 2, sizeof *v);
	n = 0;
	if (download_is_url(p->url))
		v[n++] = p->url;
	for (char **u = p->more; u && *u; u++)
		if (download_is_url(*u))
			v[n++] = *u;
	if (n > 0)
		return v;
	free(v);
	return NULL;
}

static int
part_download(struct payload *p, const char *const *urls, int part_fd, const char *part, struct fail *f)
{
	struct fail why;
	int r = download_is_allowed() ? check_space(p, part_fd, f) :
	    payload_refuse(f, EXIT_ABSENT, p, "is not fetched yet");

	if (r == 0 && download_fill(part, part_fd, urls, p->size_bytes, is_content, p, &why) < 0)
		r = payload_refuse(f, why.status, p, "%s", why.text);
	return r;
}

/* The content of P into PART, and that to its place.  Only what a later download can go on with is left behind. */
static int
fetch_part(const struct payload *p, int part_fd, const char *part, const char *path,
    const char *want, struct fail *f)
{
	_cleanup_free_ const char **urls = server_urls(p);
	struct payload copy = *p;
	const bool is_local = p->url && !download_is_url(p->url);
	struct stat st;
	int r = is_local || !urls ? part_copy(p, part_fd, want, f) : -EIO;

	if (r < 0 && urls)
		r = part_download(&copy, urls, part_fd, part, f);
	if (r < 0 && urls) {
		if (fstat(part_fd, &st) == 0 && st.st_size == 0)
			unlink(part);
		return r;
	}
	if (r == 0 && (fsync(part_fd) < 0 || rename(part, path) < 0))
		r = refuse_errno(f, errno, p, "%s", path);
	if (r < 0) {
		unlink(part);
		return r;
	}
	r = file_sync_dir(path);
	return r < 0 ? refuse_errno(f, r, p, "%s", path) : 0;
}

int
payload_fetch(const struct payload *p, const char *cache, char **path, struct fail *f)
{
	_cleanup_free_ char *found = NULL, *part = NULL;
	_cleanup_fd_ int fd = -1;
	char hex[SHA_HEX];
	int r = find_content(p, cache, hex, &found, f);

	if (r < 0)
		return r;
	if (!is_cached(p, found)) {
		part = xasprintf("%.*s.%s.part", (int)(strlen(found) - strlen(hex)), found, hex);
		fd = open_part(part);
		if (fd < 0)
			return refuse_errno(f, fd, p, "%s", part);
		if (is_cached(p, found))
			unlink(part);	/* fetched by another meanwhile */
		else
			r = fetch_part(p, fd, part, found, hex, f);
	}
	/* used now: deploy/cache.h */
	if (r == 0)
		utimensat(AT_FDCWD, found, NULL, AT_SYMLINK_NOFOLLOW);
	if (r == 0)
		*path = TAKE_PTR(found);
	return r;
}

bool
payload_is_small(const struct payload *p, const char *cache, int64_t max)
{
	_cleanup_free_ char *path = NULL;
	char hex[SHA_HEX];
	struct stat st;
	struct fail f;

	return find_content(p, cache, hex, &path, &f) == 0 && lstat(path, &st) == 0 && st.st_size <= max;
}

int
payload_load(const struct payload *p, const char *cache, size_t max, struct buf *out, struct fail *f)
{
	_cleanup_free_ char *path = NULL;
	char want[SHA_HEX], got[SHA_HEX], text[SHA_TEXT];
	struct sha *s;
	int r = find_content(p, cache, want, &path, f);

	if (r == 0)
		r = file_load(path, FILE_NOFOLLOW, max, out, f);
	if (r < 0)
		return r;
	s = sha_new(p->algorithm);
	sha_add(s, out->s, out->len);
	sha_end(s, text);
	if (sha_hex(text, got) == 0 && strcmp(got, want) == 0) {
		utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
		return 0;
	}
	payload_refuse(f, EXIT_DENIED, p, "%s: is not what its hash says", path);
	return -ENOENT;
}

/* Sharing the blocks where the file system can; copy_file_range(2) does not know every pair. */
static int
content_copy(int in, int out)
{
	_cleanup_free_ char *block = NULL;
	struct writeback w = WRITEBACK_FROM(0);
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = copy_file_range(in, NULL, out, NULL, RANGE, 0)) > 0)
		r = writeback_add(&w, out, (size_t)n);
	if (r < 0 || n == 0)
		return r;
	if (errno != EXDEV && errno != ENOSYS && errno != EINVAL && errno != EOPNOTSUPP)
		return -errno;
	block = xrealloc(NULL, BLOCK, 1);
	while (r == 0 && (n = io_read(in, block, BLOCK)) > 0) {
		r = io_write_all(out, block, (size_t)n);
		if (r == 0)
			r = writeback_add(&w, out, (size_t)n);
	}
	return r < 0 ? r : (int)n;
}

int
payload_place(const struct payload *p, const char *cache, const char *folder, bool executable,
    struct fail *f)
{
	_cleanup_free_ char *from = NULL, *to = NULL;
	_cleanup_fd_ int in = -1, out = -1;
	const mode_t mode = executable ? 0750 : 0640;
	char hex[SHA_HEX];
	struct stat st;
	int r = find_content(p, cache, hex, &from, f);

	if (r < 0)
		return r;
	to = xasprintf("%s/%s", folder, p->name);
	in = open_regular(from, O_NOFOLLOW, &st);
	if (in < 0)
		return refuse_errno(f, in, p, "%s", from);
	if (unlink(to) < 0 && errno != ENOENT)
		return refuse_errno(f, errno, p, "%s", to);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	r = out < 0 ? -errno : content_copy(in, out);
	if (r == 0 && (fchmod(out, mode) < 0 || close(out) < 0))
		r = -errno;
	if (r < 0) {
		unlink(to);
		return refuse_errno(f, r, p, "%s", to);
	}
	out = -1;
	return 0;
}

int
payload_lay(const struct payload *p, const char *dir, struct fail *f)
{
	_cleanup_free_ char *to = xasprintf("%s/%s", dir, p->name);
	_cleanup_free_ char *part = xasprintf("%s/.%s.part", dir, p->name);
	_cleanup_fd_ int in = -1, out = -1;
	int r;

	if (payload_is_at(p, to))
		return 0;
	if (access(to, F_OK) == 0)
		return fail_set(f, EXIT_USAGE, "%s: is another file than '%s'", to, p->url);
	in = open_source(p, f);
	if (in < 0)
		return in;
	unlink(part);
	out = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	r = out < 0 ? -errno : content_copy(in, out);
	if (r == 0 && (fsync(out) < 0 || rename(part, to) < 0))
		r = -errno;
	if (r < 0) {
		unlink(part);
		return fail_errno(f, r, "%s", to);
	}
	return payload_is_at(p, to) ? 0 : payload_refuse(f, EXIT_TROUBLE, p, "%s: changed while it was copied", p->url);
}
