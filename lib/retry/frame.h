/*
 * frame - one command in an agent's command pipe.
 *
 * A frame of the Azure agent is 64 bytes: the command, at most 63 bytes, padded
 * with NUL.  It is written by one write(2), so the frames of several writers
 * never mix.  Other agents read a single byte or a line.
 *
 * The reader resynchronises after a frame that is too short, as "echo" writes
 * it: the first byte after a NUL that is not NUL begins the next frame.
 * Errors: a negative errno.
 */
#ifndef RETRY_FRAME_H
#define RETRY_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/profile.h"
#include "base/buf.h"

enum { FRAME_SIZE = 64, FRAME_NAMED = 2 };

/* Format the frame that R's command makes; OUT is reset first. */
void frame_format(const struct profile_retry *r, struct buf *out);

struct frame_reader {	/* zero-initialised */
	size_t len;
	char b[FRAME_SIZE];
};

/*
 * Consume bytes of the *N at *P and advance both.  Returns 1 with a command in
 * COMMAND, 0 if more bytes are needed (*N is then 0), -EBADMSG after 64 bytes
 * without an end were dropped.
 */
int frame_next(struct frame_reader *r, const char **p, size_t *n, char command[FRAME_SIZE]);

/*
 * Drop an incomplete frame whose rest did not arrive.  Its text goes to COMMAND;
 * returns the number of bytes dropped.
 */
size_t frame_drop(struct frame_reader *r, char command[FRAME_SIZE]);

/*
 * Is COMMAND the command NAME?  Also true if it only ends with NAME, after a
 * short frame that ran into it: one retry too many does no harm, a lost one does.
 */
bool frame_asks(const char *command, const char *name);

/* The commands found in a sequence of bytes; zero-initialised. */
struct frame_haul {
	unsigned asked, ignored;	/* frames of a wanted command, and all others */
	unsigned again;			/* of those asked, not for the first of the wanted commands */
	char sample[FRAME_SIZE];	/* the first ignored command; "" if it was no frame */
	/* Set by the caller: NAMED, unless it is NULL, is called for each frame "COMMAND NAME", WHICH being
	   the place of COMMAND in NAMED_COMMANDS, where NULL stands for none. */
	const char *named_commands[FRAME_NAMED];
	void (*named)(size_t which, const char *name, void *cookie);
	void *cookie;
};

/*
 * Consume the N bytes of P and count in H the frames whose command is one of
 * NAMES (NULL-terminated), and all others.
 */
void frame_sort(struct frame_reader *r, const char *p, size_t n, const char *const *names,
    struct frame_haul *h);

#endif
