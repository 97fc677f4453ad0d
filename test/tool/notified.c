/*
 * notified PATH - print what is sent to the datagram socket PATH, a line each:
 * the service manager's side of sd_notify(3), for tests.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/diag.h"
#include "base/io.h"

int
main(int argc, char *argv[])
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char text[4096];
	ssize_t n;
	int fd;

	diag_init(argv);
	if (argc != 2 || strlen(argv[1]) >= sizeof a.sun_path)
		die(EXIT_USAGE, 0, "needs the path of a socket");
	memcpy(a.sun_path, argv[1], strlen(argv[1]));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
		die(EXIT_TROUBLE, errno, "%s", argv[1]);
	while ((n = io_read(fd, text, sizeof text)) >= 0) {
		printf("%.*s\n", (int)n, text);
		fflush(stdout);
	}
	die(EXIT_TROUBLE, (int)n, "%s", argv[1]);
}
