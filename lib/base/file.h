/*
 * file - whole files: read safely, replaced atomically.
 *
 * A file from outside is opened so that it cannot hang or surprise us
 * (O_NONBLOCK; it must be regular) and is at most MAX bytes long.  One that can
 * name a program must be trusted: base/trust.h.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"

enum {
	FILE_NOFOLLOW = 1,	/* a symbolic link is refused */
	FILE_TRUSTED = 2,	/* refuse what is not trusted (base/trust.h) */
	FILE_DURABLE = 4,	/* fsync the file, and its directory after the rename */
};

enum { FILE_DATA_MAX = 1 << 20 };	/* of a data file: 1 MiB */

/*
 * PATH into OUT, which is reset first.  Errors: -ENOENT where it is not there;
 * EXIT_DENIED for trust and permission, EXIT_TROUBLE for the rest.
 */
int file_load(const char *path, int flags, size_t max, struct buf *out, struct fail *f);

/* As file_load(FILE_TRUSTED), where the group GROUP may write, too. */
int file_load_trusted(const char *path, gid_t group, size_t max, struct buf *out, struct fail *f);

/*
 * Make PATH hold the N bytes of P, with MODE whatever the umask: a reader sees
 * the old file or the new one, never a part.
 */
int file_replace(const char *path, const void *p, size_t n, mode_t mode, int flags);

/* The same for what a user names, with the umask; but what is no file, or a link, is written into as > does. */
int file_write(const char *path, const void *p, size_t n);

/* The directory PATH and those above it, each with MODE where it is made here. */
int file_make_dirs(const char *path, mode_t mode);

/* The same with the mode 0755, and check that PATH is a directory that trust_check_dir() accepts without a group. */
int file_make_trusted_dir(const char *path, struct fail *f);

/* Remove the temporary files that killed calls of the above have left in the directory PATH. */
void file_remove_temporaries(const char *path);

/* fsync the directory that holds PATH. */
int file_sync_dir(const char *path);

/* Delete the directory PATH and what is in it, crossing no link and no mount. */
int file_remove_tree(const char *path);

/*
 * A file name for NAME: [A-Za-z0-9._-] stand for themselves, the rest becomes
 * %HH, also a leading dot and the empty name, so that it is never "." or "..".
 * What would be longer than 200 bytes is cut, and made unique by a hash.  To be freed.
 */
char *file_encode(const char *name);

/* A file that has no name, in $TMPDIR or /var/tmp, and goes with its descriptor; -errno. */
int file_open_nameless(void);

#endif
