/*
 * Deliveries in this process, to a reader that behaves as the Azure agent's:
 * many of them, one after the other and at once.  SOAK=1 for more.
 */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "retry/pending.h"
#include "retry/retry.h"

struct shared {
	volatile long frames, other;	/* read so far */
};

static struct shared *shared;

/* Opens, reads frames to the end of the writers, closes, and opens again. */
static void
read_frames(const char *path)
{
	char b[64];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		fd = open(path, O_RDONLY);
		for (;;) {
			ssize_t n = read(fd, b, sizeof b);

			if (n <= 0)
				break;
			if (n == (ssize_t)sizeof b && strcmp(b, "retry-update") == 0)
				shared->frames++;
			else
				shared->other++;
		}
		close(fd);
	}
}

static struct profile *
profile(const char *dir)
{
	_cleanup_free_ char *text = xasprintf("[retry]\nmethod = fifo\npath = %s/pipe\n"
	    "frame = adu64\ncommand = retry-update\n", dir);
	struct profile *p = NULL;
	struct fail f;

	assert(profile_parse("t.conf", text, strlen(text), &p, &f) == 0);
	p->name = xstrdup("t");
	return p;
}

/* How many frames it wrote, or an error. */
static int
ask(const struct profile *p, const struct pending *m)
{
	struct retry_spec spec = { .timeout_ms = 30000 };
	struct retry_outcome o;
	struct fail f;
	int r = pending_add(m, "", false, &f);

	if (r == 0)
		r = retry_drain(p, m, &spec, &o, &f);
	if (r < 0)
		printf("retry: %s\n", f.text);
	return r < 0 ? r : o.delivered;
}

/* The reader counts a frame after it has read it, which is when we go on. */
static void
wait_counted(long at_least)
{
	for (int i = 0; i < 10000 && shared->frames < at_least; i++)
		clock_sleep_ms(1);
}

static void
one_after_the_other(const struct profile *p, const struct pending *m, long n)
{
	for (long i = 0; i < n; i++)
		assert(ask(p, m) == 1);
	wait_counted(n);
	if (shared->frames != n || shared->other)
		printf("retry: %ld frames and %ld others of %ld retries\n", shared->frames,
		    shared->other, n);
	assert(shared->frames == n && !shared->other);
	assert(!pending_exists(m));
}

/*
 * N processes ask at once: a frame each at most, and one at least after the last
 * mark, as a mark is taken before its frame is written and none is left.
 */
static void
at_once(const struct profile *p, const struct pending *m, int n)
{
	const long before = shared->frames;
	long written = 0;

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		assert(pid >= 0);
		if (pid == 0) {
			int r = ask(p, m);

			_exit(r < 0 ? 255 : r);
		}
	}
	for (int i = 0; i < n; i++) {
		int status;

		assert(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) <= n);
		written += WEXITSTATUS(status);
	}
	wait_counted(before + written);
	assert(written >= 1 && written <= n && shared->frames == before + written);
	assert(!pending_exists(m));
}

int
main(void)
{
	const bool soak = getenv("SOAK");
	char dir[] = "/tmp/rejoin-retry.XXXXXX";
	_cleanup_pending_ struct pending m = { 0 };
	_cleanup_free_ char *path = NULL;
	struct profile *p;
	struct fail f;
	pid_t reader;

	assert(mkdtemp(dir));
	setenv("REJOIN_RUNTIME_DIR", dir, 1);
	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(shared != MAP_FAILED);
	path = xasprintf("%s/pipe", dir);
	assert(mkfifo(path, 0600) == 0);
	reader = fork();
	assert(reader >= 0);
	if (reader == 0)
		read_frames(path);
	p = profile(dir);
	pending_init(&m, p);
	assert(pending_open(&m, &f) == 0);
	one_after_the_other(p, &m, soak ? 100000 : 5000);
	for (int i = 0; i < (soak ? 2000 : 100); i++)
		at_once(p, &m, 1 + i % 8);
	kill(reader, SIGKILL);
	profile_free(p);
	return file_remove_tree(dir) < 0;
}
