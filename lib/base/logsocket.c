#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/logsocket.h"

static int fd = -1;
static bool stream;	/* the socket is a stream: each message ends with a NUL */

static bool
log_connect(int type)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int err;

	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	stream = type == SOCK_STREAM;
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
		return true;
	err = errno;
	close(fd);
	fd = -1;
	return err == EPROTOTYPE && type == SOCK_DGRAM && log_connect(SOCK_STREAM);
}

static bool
log_write(const char *message, size_t len)
{
	ssize_t n;

	do
		n = send(fd, message, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

bool
logsocket_open(void)
{
	return fd >= 0 || log_connect(SOCK_DGRAM);
}

void
logsocket_send(int priority, const char *tag, const char *text)
{
	char message[2304];
	size_t len;
	int n;

	if (!logsocket_open())
		return;
	n = snprintf(message, sizeof message, "<%d>%.128s[%d]: %s", priority, tag, (int)getpid(), text);
	if (n < 0)
		return;
	len = (size_t)n < sizeof message ? (size_t)n : sizeof message - 1;
	if (log_write(message, len + stream))
		return;
	/* the log was restarted */
	close(fd);
	fd = -1;
	if (log_connect(SOCK_DGRAM))
		(void)log_write(message, len + stream);
}
