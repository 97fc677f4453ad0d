/*
 * log-streams EVENTS SECONDS CMD... - eight logs of one system, each delayed
 * on its way by what changes at random (0.5 s in the mean, 2.2 s at most), and
 * CMD, which is given their names and merges them as they come.  One event in
 * twenty is a message to another of them.
 *
 * Prints what became of them: how many lines came, how many receipts stood
 * before what was sent, for how long a line stayed in CMD, and its memory.
 * Status 1 where not every line came once.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SOURCES = 8, SEGMENTS = 512, SEGMENT_US = 500000, MAX_US = 2200000, DONE_US = 10000000 };

struct event {
	int64_t at;		/* us from the start, when it happens */
	int64_t comes;		/* and when its log has it */
	int64_t out;		/* -1: not yet */
	int place;		/* of its line in what came out */
	int source;
	int send, recv;		/* its message's number, 0 for none */
};

static uint64_t state = 88172645463325252;

static uint64_t
rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Exponential, by the sum of halvings, and cut. */
static int64_t
delay_us(void)
{
	int64_t us = (int64_t)rnd(500000);

	while (rnd(2) && us < MAX_US)
		us += (int64_t)rnd(500000);
	return us > MAX_US ? MAX_US : us;
}

static void
make(struct event *v, int n, int64_t length)
{
	static int64_t delay[SOURCES][SEGMENTS];
	int64_t last[SOURCES] = { 0 };
	int message = 0;

	for (int s = 0; s < SOURCES; s++)
		for (int k = 0; k < SEGMENTS; k++)
			delay[s][k] = delay_us();
	for (int i = 0; i < n; i++) {
		struct event *e = &v[i];
		int64_t k, within;

		e->at = length * i / n;
		e->out = -1;
		e->source = (int)rnd(SOURCES);
		/* The one after it, elsewhere, has received what it sent. */
		if (i && v[i - 1].send) {
			e->recv = v[i - 1].send;
			e->source = (v[i - 1].source + 1 + (int)rnd(SOURCES - 1)) % SOURCES;
		} else if (i % 20 == 0 && i + 1 < n) {
			e->send = ++message;
		}
		k = e->at / SEGMENT_US % (SEGMENTS - 1);
		within = e->at % SEGMENT_US;
		e->comes = e->at + (delay[e->source][k] * (SEGMENT_US - within) + delay[e->source][k + 1] * within) / SEGMENT_US;
		if (e->comes < last[e->source])
			e->comes = last[e->source];
		last[e->source] = e->comes;
	}
}

static int
by_coming(const void *a, const void *b)
{
	const struct event *const *x = a, *const *y = b;

	return (*x)->comes != (*y)->comes ? ((*x)->comes < (*y)->comes ? -1 : 1) : *x < *y ? -1 : *x > *y;
}

static int
by_value(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
put(const int *fd, const struct event *e, int number, time_t start)
{
	time_t s = start + (time_t)(e->at / 1000000);
	char text[160], day[32], what[40] = "";
	struct tm tm;
	int n;

	gmtime_r(&s, &tm);
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
	if (e->send)
		snprintf(what, sizeof what, " tx=%d.", e->send);
	else if (e->recv)
		snprintf(what, sizeof what, " rx=%d.", e->recv);
	n = snprintf(text, sizeof text, "%s.%06dZ event=%d%s\n", day, (int)(e->at % 1000000), number, what);
	if (write(fd[e->source], text, (size_t)n) != n)
		exit(3);
}

/* Lines of FD: notes when each event came out; how many lines. */
static int
take(int fd, struct event *v, int n, int64_t now)
{
	static char b[1 << 16];
	static size_t have;
	static int place;
	ssize_t r = read(fd, b + have, sizeof b - have);
	char *p = b, *nl;
	int lines = 0;

	have += r > 0 ? (size_t)r : 0;
	for (; (nl = memchr(p, '\n', have - (size_t)(p - b))); p = nl + 1) {
		const char *hit = memmem(p, (size_t)(nl - p), "event=", 6);
		int i = hit ? atoi(hit + 6) : -1;

		if (i < 0 || i >= n || v[i].out >= 0) {
			fprintf(stderr, "log-streams: came twice, or is none: %.*s\n", (int)(nl - p), p);
			exit(1);
		}
		v[i].out = now;
		v[i].place = ++place;
		lines++;
	}
	have -= (size_t)(p - b);
	memmove(b, p, have);
	return lines;
}

static pid_t
run(char *argv[], int argc, int *out)
{
	static char names[SOURCES][32];
	char **all = calloc((size_t)argc + SOURCES + 1, sizeof *all);
	int fds[2];
	pid_t pid;

	if (!all || pipe(fds) < 0)
		exit(3);
	memcpy(all, argv, (size_t)argc * sizeof *all);
	for (int s = 0; s < SOURCES; s++) {
		snprintf(names[s], sizeof names[s], "stream%d.log", s);
		all[argc + s] = names[s];
	}
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execvp(all[0], all);
		_exit(127);
	}
	close(fds[1]);
	free(all);
	*out = fds[0];
	return pid;
}

int
main(int argc, char *argv[])
{
	int n = argc > 3 ? atoi(argv[1]) : 0, fd[SOURCES], out, came = 0, given = 0, violated = 0, sends = 0;
	int64_t length = argc > 3 ? atoi(argv[2]) * 1000000LL : 0, start, *latency;
	struct event *v = calloc((size_t)n + 1, sizeof *v), **order = calloc((size_t)n + 1, sizeof *order);
	struct rusage used;
	time_t day = time(NULL);
	pid_t pid;

	if (n <= 0 || length <= 0)
		return 2;
	make(v, n, length);
	for (int i = 0; i < n; i++)
		order[i] = &v[i];
	qsort(order, (size_t)n, sizeof *order, by_coming);
	for (int s = 0; s < SOURCES; s++) {
		char name[32];

		snprintf(name, sizeof name, "stream%d.log", s);
		fd[s] = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	}
	pid = run(argv + 3, argc - 3, &out);
	start = now_us() + 300000;
	while (came < n && now_us() < start + v[n - 1].comes + length + DONE_US) {
		struct pollfd pfd = { .fd = out, .events = POLLIN };
		int64_t now = now_us() - start, wait = given < n ? (order[given]->comes - now) / 1000 : 100;

		for (; given < n && order[given]->comes <= now; given++) {
			put(fd, order[given], (int)(order[given] - v), day);
			order[given]->comes = now_us() - start;
		}
		if (poll(&pfd, 1, wait < 0 ? 0 : wait > 100 ? 100 : (int)wait) > 0)
			came += take(out, v, n, now_us() - start);
	}
	kill(pid, SIGTERM);
	while (wait4(pid, NULL, 0, &used) < 0 && errno == EINTR)
		;
	latency = calloc((size_t)n, sizeof *latency);
	for (int i = 0; i < n; i++) {
		latency[i] = v[i].out - v[i].comes;
		sends += v[i].send > 0;
	}
	if (!latency || came != n) {
		fprintf(stderr, "log-streams: %d of %d lines came\n", came, n);
		return 1;
	}
	for (int i = 1; i < n; i++)
		violated += v[i].recv && v[i].place < v[i - 1].place;
	qsort(latency, (size_t)n, sizeof *latency, by_value);
	printf("%d events, %d messages, %d violated, latency p50 %.3f s p99 %.3f s max %.3f s, %ld KiB\n", n, sends, violated,
	    (double)latency[n / 2] / 1e6, (double)latency[n - n / 100 - 1] / 1e6, (double)latency[n - 1] / 1e6,
	    used.ru_maxrss);
	return 0;
}
