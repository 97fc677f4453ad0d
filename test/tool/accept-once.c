/*
 * accept-once - accept one connection on the listening socket that is descriptor 3,
 * wait for its first byte, and exit: a service that dies with its first request.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/diag.h"

int
main(int argc, char *argv[])
{
	char c;
	int fd;

	diag_init(argv);
	if (argc != 1)
		die(EXIT_USAGE, 0, "unexpected operand");
	fd = accept(3, NULL, NULL);
	if (fd < 0 || read(fd, &c, 1) < 0)
		die(EXIT_TROUBLE, errno, "descriptor 3");
	return 0;
}
