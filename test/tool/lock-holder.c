/*
 * lock-holder [-r] FILE - lock FILE as base/lock.h does, and hold it until it is
 * killed; -r takes a read lock with a descriptor that can only read, as a user
 * may do if it can read the file.  Prints "locked".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"

int
main(int argc, char *argv[])
{
	bool reads = argc == 3 && strcmp(argv[1], "-r") == 0;
	struct flock l = { .l_type = reads ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };
	int fd;

	diag_init(argv);
	if (argc != 2 + reads)
		die(EXIT_USAGE, 0, "[-r] FILE");
	fd = open(argv[argc - 1], reads ? O_RDONLY : O_RDWR);
	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &l) < 0)
		die(EXIT_TROUBLE, errno, "%s", argv[argc - 1]);
	puts("locked");
	fflush(stdout);
	pause();
	return 0;
}
