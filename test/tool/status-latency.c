/*
 * status-latency FILE KEY=VALUE[,VALUE...] TIMEOUT signal SIGNO PID
 * status-latency FILE KEY=VALUE[,VALUE...] TIMEOUT frame FIFO COMMAND
 *
 * Send a signal, or a frame of 64 bytes, and print how long it takes, in
 * microseconds, until KEY has one of the VALUEs in the status file FILE; "never" and
 * status 1 after TIMEOUT seconds.  The file is read every 200 us: a shell that polls takes
 * some milliseconds a look, and far more on a busy machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/io.h"

enum { FRAME = 64 };

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Is the value at S, N bytes, one of those in WANTED, which has commas between them? */
static bool
is_wanted(const char *s, size_t n, const char *wanted)
{
	for (; *wanted; wanted += strcspn(wanted, ","), wanted += *wanted == ',')
		if (strcspn(wanted, ",") == n && strncmp(wanted, s, n) == 0)
			return true;
	return false;
}

static bool
has_value(const char *path, const char *wanted)
{
	const size_t key = strcspn(wanted, "=") + 1;
	char text[65536];
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : io_read(fd, text, sizeof text - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	for (const char *s = text; s; s = strchr(s, '\n')) {
		s += *s == '\n';
		if (strncmp(s, wanted, key) == 0 && is_wanted(s + key, strcspn(s + key, "\n"), wanted + key))
			return true;
	}
	return false;
}

static void
send_frame(const char *fifo, const char *command)
{
	char frame[FRAME] = "";
	_cleanup_fd_ int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	snprintf(frame, sizeof frame, "%s", command);
	if (fd < 0 || write(fd, frame, sizeof frame) != FRAME)
		die(EXIT_TROUBLE, errno, "%s", fifo);
}

int
main(int argc, char *argv[])
{
	const struct timespec pause = { .tv_nsec = 200 * 1000 };
	int64_t begun, end;

	diag_init(argv);
	if (argc != 7 || !strchr(argv[2], '=') || (strcmp(argv[4], "signal") != 0 && strcmp(argv[4], "frame") != 0))
		die(EXIT_USAGE, 0, "FILE KEY=VALUE[,VALUE...] TIMEOUT signal SIGNO PID | frame FIFO COMMAND");
	begun = now_us();
	end = begun + strtoll(argv[3], NULL, 10) * 1000000;
	if (*argv[4] == 'f')
		send_frame(argv[5], argv[6]);
	else if (kill((pid_t)strtol(argv[6], NULL, 10), (int)strtol(argv[5], NULL, 10)) < 0)
		die(EXIT_TROUBLE, errno, "%s", argv[6]);
	while (!has_value(argv[1], argv[2])) {
		if (now_us() > end) {
			puts("never");
			return 1;
		}
		nanosleep(&pause, NULL);
	}
	printf("%" PRId64 "\n", now_us() - begun);
	return 0;
}
