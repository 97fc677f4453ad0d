#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/num.h"
#include "base/sdnotify.h"

void
sdnotify(const char *state)
{
	const char *path = secure_getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_fd_ int fd = -1;
	size_t n;

	if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof a.sun_path)
		return;
	n = strlen(path);
	memcpy(a.sun_path, path, n);
	if (*path == '@')
		a.sun_path[0] = '\0';	/* the abstract namespace */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

int64_t
sdnotify_watchdog_ms(void)
{
	const char *us = secure_getenv("WATCHDOG_USEC"), *pid = secure_getenv("WATCHDOG_PID");
	int64_t n;

	if (!us || num_parse(us, 1, INT64_MAX, &n) < 0)
		return 0;
	if (pid && (num_parse(pid, 1, INT32_MAX, &(int64_t){ 0 }) < 0 || atoll(pid) != getpid()))
		return 0;
	return n / 2000 > 0 ? n / 2000 : 1;
}
