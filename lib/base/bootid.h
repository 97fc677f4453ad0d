/*
 * bootid - the boot that this is: the text of /proc/sys/kernel/random/boot_id, a UUID.
 *
 * A container of systemd-nspawn(1) has a boot id of its own, mounted over the kernel's.
 * A unit in it with ProtectKernelTunables= has a /proc of its own, and sees the kernel's.
 * Two processes of one boot may thus read different ids.
 */
#ifndef BASE_BOOTID_H
#define BASE_BOOTID_H

#include <stdbool.h>

enum { BOOTID_SIZE = 37 };	/* its 36 characters and a NUL */

/* 0, or -errno. */
int bootid_read(char text[BOOTID_SIZE]);

/*
 * May TEXT, a boot id or the first characters of one, be of this boot?  In a container all may be,
 * so TEXT must come with what does not come twice, as the start of a process in clock ticks.
 */
bool bootid_is_current(const char *text);

#endif
