/*
 * relay - move bytes from one pipe to another without copying them, and know
 * where the lines end all the same: tee(2) and splice(2).
 *
 * Nothing is read ahead: what was not moved is still in the first pipe.
 */
#ifndef READY_SPLICE_H
#define READY_SPLICE_H

#include <stdbool.h>
#include <sys/types.h>

struct splice {
	int in, out;	/* borrowed */
	int peek[2];	/* a pipe of our own for the same bytes; -1: not open */
	int null;
	char *b;
};

#define SPLICE_INIT	{ -1, -1, { -1, -1 }, -1, NULL }

/* False where IN and OUT are not both pipes: then there is no relay. */
bool splice_open(struct splice *r, int in, int out);
void splice_close(struct splice *r);

/*
 * Move what there is, or only what belongs to the first line of it; *LAST is
 * the last byte moved.  Never waits: 0 at the end, -EAGAIN where there is
 * nothing to move yet, -ENOBUFS where there is no room yet.
 */
ssize_t splice_move(struct splice *r, bool one_line, char *last);

#endif
