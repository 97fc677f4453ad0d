/*
 * splice - moves bytes between two pipes without copying them through user space,
 * by splice(2).  tee(2) shows where lines end.
 *
 * Nothing is read ahead: what was not moved is still in the first pipe.
 */
#ifndef READY_SPLICE_H
#define READY_SPLICE_H

#include <stdbool.h>
#include <sys/types.h>

struct splice {
	int in, out;	/* borrowed */
	int peek[2];	/* a pipe for the copy that tee(2) makes; -1: not open */
	int null;
	char *b;
};

#define SPLICE_INIT	{ -1, -1, { -1, -1 }, -1, NULL }

/* False if IN and OUT are not both pipes, and cannot be spliced. */
bool splice_open(struct splice *r, int in, int out);
void splice_close(struct splice *r);

/*
 * Move all available bytes, or with ONE_LINE those up to the first line end; *LAST
 * is the last byte moved.  Does not block.  Returns the number of bytes, 0 at end
 * of file, -EAGAIN if IN is empty, -ENOBUFS if OUT is full.
 */
ssize_t splice_move(struct splice *r, bool one_line, char *last);

#endif
