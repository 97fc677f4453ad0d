/*
 * trust - is a file one that only root and the caller could have written, or put
 * in its place?
 *
 * The path is walked from "/" with O_PATH descriptors; what was checked is what is
 * opened.  A component that is not absolute is looked for from the working
 * directory, whose own path is walked first.
 *
 *	the file	owned by root or the caller, writable by no one else
 *	a directory	the same; but a sticky directory of root may be writable, where
 *			the next name is root's or the caller's; and a group may write
 *			that is root's (0), or the caller's private group: its primary
 *			group, with its name and no other member (the caller not root)
 *	a link		in such a directory; what it points to is walked as well
 *
 * GROUP may write to the file and the directory that holds it, too ((gid_t)-1 for
 * none).  Where root has no uid, in a user namespace, directories of the overflow
 * uid that group and others cannot write are accepted, files are not.
 *
 * Errors: EXIT_DENIED, with the offending file or directory and, as the hint, the
 * cure; -ENOENT; EXIT_TROUBLE for what is not a regular file.
 */
#ifndef BASE_TRUST_H
#define BASE_TRUST_H

#include <sys/types.h>

#include "base/fail.h"

enum { TRUST_NOFOLLOW = 1 };	/* a link as the last component is refused */

/* PATH, opened for reading if it is trusted.  The caller closes it. */
int trust_open(const char *path, gid_t group, int flags, struct fail *f);

/* The same without opening it: 0 where it is trusted. */
int trust_check(const char *path, gid_t group, struct fail *f);

/*
 * For a directory of ours that names no program: is PATH itself, whatever is above
 * it, no link, owned by root or the caller and not writable by others, or by a
 * group other than root's and GROUP?
 */
int trust_check_dir(const char *path, gid_t group, struct fail *f);

#endif
