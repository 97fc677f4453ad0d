#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bootid.h"
#include "base/io.h"

int
bootid_read(char text[BOOTID_SIZE])
{
	_cleanup_fd_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = io_read(fd, text, BOOTID_SIZE - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return 0;
}

/* In a namespace of processes that is not the kernel's first, PROC_PID_INIT_INO of linux/proc_ns.h? */
static bool
is_container(void)
{
	static const ino_t first = 0xEFFFFFFC;
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino != first;
}

bool
bootid_is_current(const char *text)
{
	char now[BOOTID_SIZE];

	return is_container() || (*text && bootid_read(now) == 0 && strncmp(now, text, strlen(text)) == 0);
}
