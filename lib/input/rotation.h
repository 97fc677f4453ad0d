/*
 * rotation - a log file and what became of it: PATH, PATH.1, PATH-20261121, ...
 *
 * Logs are rotated by renaming them, or by copying and truncating them.
 * Either way what was read up to some offset is found again by the bytes
 * before it.
 */
#ifndef INPUT_ROTATION_H
#define INPUT_ROTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { ROTATION_TAIL = 64 };

/* A place in a file, and how to know it again. */
struct rotation_place {
	dev_t dev;
	ino_t ino;
	int64_t off;
	int64_t mtime_ns;		/* the file's, when its place was taken */
	char tail[ROTATION_TAIL];	/* the N_TAIL bytes before OFF */
	size_t n_tail;
};

struct rotation_file {
	int fd;				/* -1 once it is taken */
	char *name;
	dev_t dev;
	ino_t ino;
	int64_t size, mtime_ns;
	int64_t number;			/* of its suffix; 0 for PATH itself, -1 for a suffix that is none */
};

/* The oldest first; PATH itself, if it is there, is the last. */
struct rotation {
	struct rotation_file *v;
	size_t n;
	bool current;			/* the last is PATH itself */
};

/* Is PATH what LOG may have been renamed to? */
bool rotation_is_of(const char *path, const char *log);

/*
 * The newest 200, open; compressed ones are left out, and so is a copy of PATH
 * which has not been truncated yet.  Errors: a negative errno.
 */
int rotation_open(const char *path, struct rotation *out);
void rotation_release(struct rotation *r);

/* Which of them holds the place: the same file before a copy; -1 for none. */
ssize_t rotation_find(const struct rotation *r, const struct rotation_place *at);

/* The first of them that was written after the place's file was; R->n for none. */
size_t rotation_after(const struct rotation *r, const struct rotation_place *at);

/* The first of those that were all written to after MTIME_NS, or else PATH itself; R->n where that is not there. */
size_t rotation_newer(const struct rotation *r, int64_t mtime_ns);

/* Take the bytes before AT->off from FD. */
int rotation_mark(int fd, struct rotation_place *at);

/* Are they before AT->off in FD? */
bool rotation_holds(int fd, const struct rotation_place *at);

#endif
