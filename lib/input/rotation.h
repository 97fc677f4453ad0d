/*
 * rotation - a log file and its rotated siblings: PATH, PATH.1, PATH-20261121,
 * PATH.2.gz, ...
 *
 * Logs are rotated by renaming them, or by copying and truncating them, and may
 * be compressed afterwards.  Either way the place up to which a file was read is
 * found again by the bytes before it.
 *
 * Where PATH is a link, the siblings are those of the file that it leads to.
 *
 * Files are listed without being opened; rotation_fd() opens one.  A compressed
 * file is unpacked into a file without a name, and its offsets are those of what
 * it holds.  Where PATH.1 and PATH.1.gz both exist, the second is not complete
 * yet, and is left out.
 *
 * Errors: a negative errno.
 */
#ifndef INPUT_ROTATION_H
#define INPUT_ROTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/json.h"

enum { ROTATION_TAIL = 64 };

/* A place in a file, and how to recognise it. */
struct rotation_place {
	dev_t dev;
	ino_t ino;
	int64_t off;
	int64_t mtime_ns;		/* the file's, when its place was taken */
	char tail[ROTATION_TAIL];	/* the N_TAIL bytes before OFF */
	size_t n_tail;
};

struct rotation_file {
	int fd;				/* -1 before rotation_fd(), and once it was given away */
	char *path;
	dev_t dev;
	ino_t ino;
	int64_t size, mtime_ns;		/* the size of a compressed file is that of what it holds, once it is open */
	int64_t number;			/* of its suffix; 0 for PATH itself, -1 for a suffix that is none */
	bool packed;			/* compressed */
};

/* The oldest first; PATH itself, if it exists, is the last. */
struct rotation {
	struct rotation_file *v;
	size_t n;
	bool current;			/* the last is PATH itself */
	bool stale;			/* a name was another file's when it was opened: list them anew */
};

/* Is PATH a name that rotation, with compression or without, gives to LOG? */
bool rotation_is_of(const char *path, const char *log);

/* List the newest 200.  A copy of PATH that has not been truncated yet is left out. */
int rotation_open(const char *path, struct rotation *out);
void rotation_release(struct rotation *r);

/* A descriptor of file I, which R owns.  -ESTALE where its name is another file's by now. */
int rotation_fd(struct rotation *r, size_t i);

/* Which file holds the place: the same file before a copy, a compressed one last; -1 for none. */
ssize_t rotation_find(struct rotation *r, const struct rotation_place *at);

/* The first file that was written after the place's file; R->n for none. */
size_t rotation_after(struct rotation *r, const struct rotation_place *at);

/* The first of the last files that were all modified after MTIME_NS, or else PATH itself; R->n where that does not exist. */
size_t rotation_newer(const struct rotation *r, int64_t mtime_ns);

/* Read the bytes before AT->off from FD into AT. */
int rotation_mark(int fd, struct rotation_place *at);

/* Write the place into the object STATE, and read it: 1, 0 where STATE has none, -EINVAL where it is damaged. */
void rotation_save(const struct rotation_place *at, struct json *state);
int rotation_restore(struct rotation_place *at, struct json state);

/* Are they before AT->off in FD? */
bool rotation_holds(int fd, const struct rotation_place *at);

#endif
