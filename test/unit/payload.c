#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/sha.h"
#include "base/xalloc.h"
#include "deploy/download.h"
#include "deploy/payload.h"

static int bad;

static void
expect(const char *what, bool ok, const struct fail *f)
{
	if (ok)
		return;
	printf("payload: %s: status %d, '%s'\n", what, f->status, f->text);
	bad = 1;
}

/* How many entries has the directory below CACHE? */
static int
entries(const char *dir, const char *name)
{
	_cleanup_free_ char *cmd = xasprintf("exit $(ls -A %s/%s 2>/dev/null | wc -l)", dir, name);

	return WEXITSTATUS(system(cmd));
}

static char *
put(const char *dir, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);

	file_replace(path, text, strlen(text), 0644, 0);
	return path;
}

/* A payload of TEXT, which lies in the file NAME. */
static struct payload
payload(const char *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = put(dir, name, text);
	struct sha *s = sha_new("sha256");
	char hash[SHA_TEXT];

	sha_add(s, text, strlen(text));
	sha_end(s, hash);
	return (struct payload){
		.id = xstrdup("f1"), .name = xstrdup(name),
		.size_bytes = (int64_t)strlen(text), .algorithm = xstrdup("SHA256"),
		.hash = xstrdup(hash), .url = xasprintf("file://%s", path),
	};
}

static bool
holds(const char *path, const char *text)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;

	return file_load(path, FILE_NOFOLLOW, 1 << 20, &b, &f) == 0 && strcmp(b.s, text) == 0;
}

static void
set(char **field, const char *value)
{
	free(*field);
	*field = value ? xstrdup(value) : NULL;
}

static void
check_good(const char *dir)
{
	struct payload p = payload(dir, "a b.txt", "hello");
	_cleanup_free_ char *cache = xasprintf("%s/cache", dir), *folder = xasprintf("%s/w", dir);
	_cleanup_free_ char *path = NULL, *again = NULL, *placed = xasprintf("%s/a b.txt", folder);
	_cleanup_free_ char *source = xasprintf("%s/a b.txt", dir);
	struct fail f = { 0 };
	struct stat st;

	mkdir(folder, 0700);
	expect("fetch", payload_fetch(&p, cache, &path, &f) == 0 && holds(path, "hello"), &f);
	expect("one file in the cache", entries(cache, "sha256") == 1, &f);
	expect("place", payload_place(&p, cache, folder, false, &f) == 0 &&
	    holds(placed, "hello") && stat(placed, &st) == 0 &&
	    (st.st_mode & 07777) == 0640 && st.st_nlink == 1, &f);
	expect("place a program", payload_place(&p, cache, folder, true, &f) == 0 &&
	    stat(placed, &st) == 0 && (st.st_mode & 07777) == 0750, &f);
	unlink(source);
	expect("from the cache", payload_fetch(&p, cache, &again, &f) == 0 &&
	    strcmp(path, again) == 0, &f);
	/* what was damaged in the cache is fetched again */
	free(put(dir, "a b.txt", "hello"));
	file_replace(path, "hullo", 5, 0640, 0);
	set(&again, NULL);
	expect("damaged", payload_fetch(&p, cache, &again, &f) == 0 && holds(path, "hello"), &f);
	file_replace(path, "", 0, 0640, 0);
	set(&again, NULL);
	expect("cut", payload_fetch(&p, cache, &again, &f) == 0 && holds(path, "hello"), &f);
	/* what a crash left half-written is no hindrance, and does not stay */
	_cleanup_free_ char *part = xasprintf("%s/sha256/.%s.part", cache, strrchr(path, '/') + 1);

	rename(path, part);
	set(&again, NULL);
	expect("a part", payload_fetch(&p, cache, &again, &f) == 0 && holds(path, "hello") &&
	    entries(cache, "sha256") == 1, &f);
	unlink(path);
	set(&again, NULL);
	set(&p.url, NULL);
	p.url = xasprintf("file:%s/a%%20b%%2Etxt", dir);
	expect("an escaped URL", payload_fetch(&p, cache, &again, &f) == 0, &f);
	payload_release(&p);
}

/* What is copied is shown as what is downloaded. */
static void
check_progress(const char *dir)
{
	struct payload p = payload(dir, "shown", "hello, progress");
	_cleanup_free_ char *cache = xasprintf("%s/cache-shown", dir), *path = NULL;
	static struct download_progress progress;
	struct fail f = { .status = EXIT_OK };

	progress.size = -1;
	download_allow(NULL, &progress);
	expect("progress", payload_fetch(&p, cache, &path, &f) == 0 && progress.got == 15 && progress.size == 0, &f);
	download_allow(NULL, NULL);
	payload_release(&p);
}

static void
check_bad(const char *dir)
{
	struct payload p = payload(dir, "x", "one");
	_cleanup_free_ char *cache = xasprintf("%s/cache2", dir), *path = NULL;
	_cleanup_free_ char *hash = xstrdup(p.hash), *url = xstrdup(p.url);
	static const char *const names[] = { "", ".", "..", "a/b", "../x", "/x", "a\nb", "\x1b[2J",
	    "\xff" };
	static const char *const urls[] = { "/etc/passwd", "file:x", "file:", "file://host/x",
	    "http://localhost/x", "file:/tmp/%", "file:/tmp/%4", "file:/tmp/a%00b", "" };
	struct fail f = { 0 };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		set(&p.name, names[i]);
		expect(names[i], payload_fetch(&p, cache, &path, &f) < 0 &&
		    f.status == EXIT_USAGE && strstr(f.text, "f1"), &f);
	}
	set(&p.name, "x");
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		set(&p.url, urls[i]);
		/* this process may not download */
		expect(urls[i], payload_fetch(&p, cache, &path, &f) < 0 &&
		    f.status == (strncmp(urls[i], "http", 4) == 0 ? EXIT_ABSENT : EXIT_TROUBLE) && strstr(f.text, "f1 (x)"), &f);
	}
	set(&p.url, url);
	set(&p.hash, "not base64");
	expect("hash", payload_fetch(&p, cache, &path, &f) < 0 && f.status == EXIT_USAGE, &f);
	set(&p.algorithm, "sha512");
	set(&p.hash, hash);
	expect("hash of another kind", payload_fetch(&p, cache, &path, &f) < 0 &&
	    f.status == EXIT_USAGE, &f);
	set(&p.algorithm, "md5");
	expect("md5", payload_fetch(&p, cache, &path, &f) < 0 && f.status == EXIT_USAGE, &f);
	set(&p.algorithm, "sha256");
	free(put(dir, "x", "two"));
	expect("other content", payload_fetch(&p, cache, &path, &f) < 0 &&
	    f.status == EXIT_DENIED && strstr(f.text, "f1 (x)"), &f);
	free(put(dir, "x", "one more"));
	expect("other size", payload_fetch(&p, cache, &path, &f) < 0 && f.status == EXIT_DENIED, &f);
	p.size_bytes = -1;
	expect("no size", payload_fetch(&p, cache, &path, &f) < 0 && f.status == EXIT_DENIED, &f);
	unlink(url + 7);
	expect("no file", payload_fetch(&p, cache, &path, &f) < 0 && f.status == EXIT_TROUBLE, &f);
	mkfifo(url + 7, 0600);
	expect("a FIFO", payload_fetch(&p, cache, &path, &f) < 0 && f.status == EXIT_TROUBLE, &f);
	expect("nothing left", entries(cache, "sha256") == 0, &f);
	expect("not fetched", payload_place(&p, cache, dir, false, &f) < 0 &&
	    f.status == EXIT_TROUBLE, &f);
	payload_release(&p);
}

/* Several at once: each succeeds, one file is there. */
static void
check_race(const char *dir)
{
	struct payload p = payload(dir, "r", "race");
	_cleanup_free_ char *cache = xasprintf("%s/cache3", dir);
	struct fail f = { 0 };
	int failed = 0;

	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			_cleanup_free_ char *path = NULL;
			int r = 0;

			for (int j = 0; j < 50 && r == 0; j++) {
				r = payload_fetch(&p, cache, &path, &f);
				if (r == 0 && j % 5 == 0)
					unlink(path);
				set(&path, NULL);
			}
			_exit(r < 0);
		}
	for (int i = 0, status; i < 8; i++)
		failed += wait(&status) < 0 || status != 0;
	expect("a race", failed == 0 && entries(cache, "sha256") <= 1, &f);
	payload_release(&p);
}

int
main(void)
{
	char dir[] = "/tmp/payload.XXXXXX";

	if (!mkdtemp(dir))
		return 1;
	check_good(dir);
	check_progress(dir);
	check_bad(dir);
	check_race(dir);
	file_remove_tree(dir);
	return bad;
}
