/*
 * adu-double - the Azure agent as other processes see it: its command pipe, its states, and what it drops.
 *
 *	adu-double [--start MS] [--busy MS] [--pause MS] [--sandbox DIR | --api FIFO [--rc]] PIPE COUNTS
 *
 * It initializes for --start MS, evaluates its deployment for --busy MS, pauses for --pause MS
 * (idlePauseMilliseconds, new in 1.3), and is idle.  A frame that it reads while idle begins an evaluation.  One that it
 * reads while it initializes or pauses is dropped; one during an evaluation leaves it dead, as 1.1.0 is then:
 * busy for ever.  COUNTS holds "EVALUATIONS DROPPED BROKEN STATE", replaced atomically.
 *
 * PIPE is read as command_helper.c does: closed at the end of each writer, and opened again.
 * --sandbox: before 1.3 there is the directory DIR/deployment during an evaluation, and no API.
 * --api: requests of the Service Status API are read from FIFO, and answered where the FIFO of the answer is the
 * agent's own with mode 0660; values are those of the later headers, with --rc of 1.3.0-rc.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum state { INITIALIZING, INSTALLING, PAUSED, IDLE };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t asked;
	enum state state;
	long evaluations, dropped, broken;
	long start_ms, busy_ms, pause_ms;
	const char *sandbox, *api, *pipe, *counts;
	bool rc;
} agent = { .lock = PTHREAD_MUTEX_INITIALIZER, .asked = PTHREAD_COND_INITIALIZER };

static void
nap(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static void
give_up(const char *what)
{
	perror(what);
	_exit(3);
}

/* With the lock held. */
static void
counts_write(void)
{
	static const char *const names[] = { "initializing", "installing", "paused", "idle" };
	char tmp[4096];
	FILE *f;

	snprintf(tmp, sizeof tmp, "%s.new", agent.counts);
	f = fopen(tmp, "we");
	if (!f || fprintf(f, "%ld %ld %ld %s\n", agent.evaluations, agent.dropped, agent.broken,
	    agent.broken ? "dead" : names[agent.state]) < 0 || fclose(f) == EOF || rename(tmp, agent.counts) < 0)
		give_up(agent.counts);
}

static void
state_set(enum state state)
{
	pthread_mutex_lock(&agent.lock);
	agent.state = state;
	if (state == IDLE)
		agent.evaluations++;
	counts_write();
	pthread_mutex_unlock(&agent.lock);
}

static void
evaluate(void)
{
	char dir[4096] = "";

	if (agent.sandbox) {
		snprintf(dir, sizeof dir, "%s/deployment", agent.sandbox);
		if (mkdir(dir, 0700) < 0)
			give_up(dir);
	}
	state_set(INSTALLING);
	nap(agent.busy_ms);
	pthread_mutex_lock(&agent.lock);
	while (agent.broken)
		pthread_cond_wait(&agent.asked, &agent.lock);
	pthread_mutex_unlock(&agent.lock);
	if (*dir && rmdir(dir) < 0)
		give_up(dir);
	if (agent.pause_ms > 0) {
		state_set(PAUSED);
		nap(agent.pause_ms);
	}
	state_set(IDLE);
}

static void
frame_take(void)
{
	pthread_mutex_lock(&agent.lock);
	if (agent.state == IDLE) {
		agent.state = INSTALLING;	/* from here on it is busy, though its thread has yet to wake */
		pthread_cond_signal(&agent.asked);
	} else if (agent.state == INSTALLING) {
		agent.broken++;
	} else {
		agent.dropped++;
	}
	counts_write();
	pthread_mutex_unlock(&agent.lock);
}

static void *
pipe_read(void *unused)
{
	(void)unused;
	for (;;) {
		int fd = open(agent.pipe, O_RDONLY | O_CLOEXEC);
		char frame[64];
		ssize_t n;

		if (fd < 0)
			give_up(agent.pipe);
		while ((n = read(fd, frame, sizeof frame)) > 0)
			if (n == (ssize_t)sizeof frame && memchr(frame, '\0', sizeof frame) &&
			    strcmp(frame, "retry-update") == 0)
				frame_take();
		close(fd);
	}
	return NULL;
}

static unsigned char
state_value(void)
{
	static const unsigned char later[] = { 1, 3, 8, 9 }, rc[] = { 1, 3, 6, 7 };
	unsigned char v;

	pthread_mutex_lock(&agent.lock);
	v = (agent.rc ? rc : later)[agent.state];
	pthread_mutex_unlock(&agent.lock);
	return v;
}

/* The FIFO PATH must be ours, 0660; its reader may be late. */
static void
answer_write(const char *path)
{
	const unsigned char answer[] = { 0, 0, 0, state_value() };
	struct stat st;
	int fd = -1;

	if (stat(path, &st) < 0 || !S_ISFIFO(st.st_mode) || st.st_uid != geteuid() || st.st_gid != getegid() ||
	    (st.st_mode & 0777) != 0660)
		return;
	for (int i = 0; i < 30 && (fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0 && errno == ENXIO; i++)
		nap(450);
	if (fd >= 0 && write(fd, answer, sizeof answer) < 0 && errno != EPIPE)
		give_up(path);
	close(fd);
}

static void *
api_read(void *unused)
{
	int fd = open(agent.api, O_RDWR | O_CLOEXEC);	/* it keeps a writer open itself */
	unsigned char header[6];
	char path[4096];

	(void)unused;
	if (fd < 0)
		give_up(agent.api);
	while (read(fd, header, sizeof header) == (ssize_t)sizeof header) {
		const size_t len = (size_t)header[4] << 8 | header[5];

		if (header[1] != 1 || header[3] != 1 || len >= sizeof path || read(fd, path, len) != (ssize_t)len)
			give_up("a request");
		path[len] = '\0';
		answer_write(path);
	}
	return NULL;
}

static void
parse(int argc, char *argv[])
{
	int i;

	for (i = 1; i < argc - 2; i++) {
		if (strcmp(argv[i], "--start") == 0)
			agent.start_ms = atol(argv[++i]);
		else if (strcmp(argv[i], "--busy") == 0)
			agent.busy_ms = atol(argv[++i]);
		else if (strcmp(argv[i], "--pause") == 0)
			agent.pause_ms = atol(argv[++i]);
		else if (strcmp(argv[i], "--sandbox") == 0)
			agent.sandbox = argv[++i];
		else if (strcmp(argv[i], "--api") == 0)
			agent.api = argv[++i];
		else if (strcmp(argv[i], "--rc") == 0)
			agent.rc = true;
	}
	if (argc - i != 2)
		exit(2);
	agent.pipe = argv[i];
	agent.counts = argv[i + 1];
}

int
main(int argc, char *argv[])
{
	pthread_t thread;

	parse(argc, argv);
	umask(0);
	if ((mkfifo(agent.pipe, 0660) < 0 && errno != EEXIST) ||
	    (agent.api && mkfifo(agent.api, 0660) < 0 && errno != EEXIST))
		return 3;
	if (pthread_create(&thread, NULL, pipe_read, NULL) != 0 ||
	    (agent.api && pthread_create(&thread, NULL, api_read, NULL) != 0))
		return 3;
	state_set(INITIALIZING);
	nap(agent.start_ms);
	for (;;) {
		evaluate();
		pthread_mutex_lock(&agent.lock);
		while (agent.state == IDLE)
			pthread_cond_wait(&agent.asked, &agent.lock);
		pthread_mutex_unlock(&agent.lock);
	}
}
