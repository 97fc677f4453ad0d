/*
 * frame - one command in an agent's pipe.
 *
 * The Azure agent's frame is 64 bytes: the command's text, at most 63 bytes,
 * and NUL to the end.  It is written at once, so that the frames of several
 * writers never mix.  Other agents take a single byte, or a line.
 *
 * The reader finds its way back after a frame that was too short, such as a
 * shell's echo makes: what stands after a command's first NUL and is not NUL
 * begins the next frame.  Errors: a negative errno.
 */
#ifndef RETRY_FRAME_H
#define RETRY_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/profile.h"
#include "base/buf.h"

enum { FRAME_SIZE = 64 };

/* What asks for a retry, as R has it, into OUT, which is reset first. */
void frame_format(const struct profile_retry *r, struct buf *out);

struct frame_reader {	/* zero at first */
	size_t len;
	char b[FRAME_SIZE];
};

/*
 * Take bytes from *P on, of which there are *N, and move both on.  1 with a
 * command in COMMAND, 0 where more bytes are needed (*N is then 0), -EBADMSG
 * where 64 bytes without an end were dropped.
 */
int frame_next(struct frame_reader *r, const char **p, size_t *n, char command[FRAME_SIZE]);

/*
 * Give up on a frame that has begun: its writer did not fill it, and nothing
 * came for a while.  Its text into COMMAND; returns how many bytes were dropped.
 */
size_t frame_drop(struct frame_reader *r, char command[FRAME_SIZE]);

/*
 * Does COMMAND ask for NAME?  Also where it only ends so, behind a short frame
 * that ran into it: a retry too many does no harm, a lost one does.
 */
bool frame_asks(const char *command, const char *name);

/* What was in a stretch of frames; zero at first. */
struct frame_haul {
	unsigned asked, ignored;	/* frames for NAME, and all others */
	char sample[FRAME_SIZE];	/* the first that was ignored; "" where it was no frame */
};

/* Take the N bytes of P, and add to H those that ask for NAME and those that do not. */
void frame_sort(struct frame_reader *r, const char *p, size_t n, const char *name,
    struct frame_haul *h);

#endif
