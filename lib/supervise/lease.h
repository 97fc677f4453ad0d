/*
 * lease - until when a supervised process may run without a renewal by the
 * system that wants it: a boot id and a deadline on CLOCK_BOOTTIME, which runs
 * while the machine sleeps.
 *
 * A lease is the first line of a file, of a fixed width, so that it can be
 * renewed by one pwrite(2) while others read it:
 *
 *	{"boot":"BOOT-ID","deadline_ns":"00000000012345678901"}
 *
 * A lease of another boot, or one that cannot be read, has expired.
 */
#ifndef SUPERVISE_LEASE_H
#define SUPERVISE_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bootid.h"

enum { LEASE_LINE = 85 };	/* bytes of the line, its newline included */

struct lease {
	char boot[BOOTID_SIZE];
	int64_t deadline_ns;	/* on CLOCK_BOOTTIME */
};

int64_t lease_now_ns(void);

/* The line of L, LEASE_LINE bytes and a NUL. */
void lease_format(const struct lease *l, char line[LEASE_LINE + 1]);

/* -EBADMSG where TEXT does not begin with a lease. */
int lease_parse(const char *text, size_t len, struct lease *l);

/* The lease in the file NAME of the directory DIR (or an absolute path). */
int lease_read(int dir, const char *name, struct lease *l);

/* Overwrite the lease at the start of the file FD. */
int lease_write(int fd, const struct lease *l);

/* Nanoseconds left at NOW_NS of the boot BOOT; 0 where it has expired. */
int64_t lease_left_ns(const struct lease *l, const char *boot, int64_t now_ns);

/*
 * What is left at NOW_NS of GRACE_MS that began when the lease ended, at END_NS:
 * a machine that slept through both has none left.
 */
int64_t lease_grace_left_ns(int64_t end_ns, int64_t now_ns, int64_t grace_ms);

#endif
