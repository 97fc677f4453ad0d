/*
 * agent-double - what can be seen of our agent from outside, and nothing else.
 *
 *	agent-double [--busy MS] [--lag MS] [--result N] [--die] [--deaf] [--workflow ID] DIR
 *
 * In DIR it has commands.fifo, status, busy and lock as rejoin-agent has, and
 * frames (how many it read).  For each frame it is busy for MS and settles with
 * the result code N.  --lag: it says that it took a frame MS later.  --die: it is killed by the first frame.  --deaf: it reads
 * no frame.  It says "ready" on stdout.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/status.h"
#include "agent/status_text.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"
#include "retry/frame.h"

struct twin {
	const char *dir;
	int64_t busy_ms, lag_ms;
	bool die, deaf;
	int busy_fd;
	int result;
	int64_t frames;
	struct status status;
};

static char *
at(const struct twin *a, const char *name)
{
	return xasprintf("%s/%s", a->dir, name);
}

static void
put(const struct twin *a, const char *name, const char *text, size_t len)
{
	_cleanup_free_ char *path = at(a, name);

	if (file_replace(path, text, len, 0644, 0) < 0)
		exit(EXIT_TROUBLE);
}

static void
publish(struct twin *a, enum agent_state state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	a->status.state = state;
	clock_now(a->status.state_since);
	status_text_format(&a->status, &b);
	put(a, "status", b.s, b.len);
}

static void
cycle(struct twin *a)
{
	struct status *s = &a->status;

	if (lock_wait(a->busy_fd, 10000) < 0)
		exit(EXIT_TROUBLE);
	s->cycle++;
	s->covered = s->retries;
	s->pending = false;
	strcpy(s->phase, "install");
	strcpy(s->progress, "1/2");
	publish(a, AGENT_BUSY);
	clock_sleep_ms(a->busy_ms);
	s->settled = s->covered;
	s->settled_cycle = s->cycle;
	s->result = a->result;
	*s->phase = *s->progress = '\0';
	publish(a, s->result > 0 ? AGENT_IDLE : AGENT_FAILED);
	lock_release(a->busy_fd);
}

/* All the frames there are; they make one cycle. */
static void
take(struct twin *a, int fd)
{
	struct frame_reader r = { 0 };
	char b[4096], command[FRAME_SIZE], text[32];
	const char *p = b;
	ssize_t got = io_read(fd, b, sizeof b);
	size_t n = got > 0 ? (size_t)got : 0;

	while (frame_next(&r, &p, &n, command) == 1)
		a->frames++;
	put(a, "frames", text, (size_t)snprintf(text, sizeof text, "%jd\n", (intmax_t)a->frames));
	if (a->die)
		raise(SIGKILL);
	clock_sleep_ms(a->lag_ms);
	a->status.retries = a->frames;
	a->status.pending = true;
	cycle(a);
}

static int
make_pipe(const struct twin *a)
{
	_cleanup_free_ char *path = at(a, "commands.fifo");

	mkfifo(path, 0660);
	return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

int
main(int argc, char *argv[])
{
	struct twin a = { .result = 700, .status = { .running = 1 } };
	_cleanup_free_ char *lock = NULL, *busy = NULL;
	int fd, i, lock_fd;

	for (i = 1; i < argc - 1; i++) {
		if (strcmp(argv[i], "--busy") == 0)
			a.busy_ms = atol(argv[++i]);
		else if (strcmp(argv[i], "--lag") == 0)
			a.lag_ms = atol(argv[++i]);
		else if (strcmp(argv[i], "--result") == 0)
			a.result = atoi(argv[++i]);
		else if (strcmp(argv[i], "--workflow") == 0)
			snprintf(a.status.workflow, STATUS_TEXT, "%s", argv[++i]);
		else if (strcmp(argv[i], "--die") == 0)
			a.die = true;
		else if (strcmp(argv[i], "--deaf") == 0)
			a.deaf = true;
	}
	a.dir = argv[argc - 1];
	if (file_make_dirs(a.dir, 0755) < 0)
		return EXIT_TROUBLE;
	lock = at(&a, "lock");
	busy = at(&a, "busy");
	lock_fd = lock_open(lock, 0644);
	a.busy_fd = lock_open(busy, 0644);
	fd = make_pipe(&a);
	if (lock_fd < 0 || lock_try(lock_fd) < 0 || a.busy_fd < 0 || fd < 0)
		return EXIT_TROUBLE;
	strcpy(a.status.agent, "rejoin");
	snprintf(a.status.report, STATUS_PATH, "%s/report.json", a.dir);
	a.status.is_unsigned = true;
	a.status.pid = getpid();
	incarnation_of(getpid(), a.status.incarnation);
	clock_now(a.status.since);
	cycle(&a);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd pfd = { .fd = a.deaf ? -1 : fd, .events = POLLIN };

		if (poll(&pfd, 1, -1) > 0)
			take(&a, fd);
	}
}
