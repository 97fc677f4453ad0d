/*
 * part - one file of a log that is followed: the log itself, or a rotated one.
 *
 * It is read by whole lines from a place on.  That the bytes before the place are
 * still the same is checked with each read, so a file that was truncated, or
 * truncated and written again, is noticed.
 */
#ifndef INPUT_PART_H
#define INPUT_PART_H

#include <stdbool.h>
#include <sys/types.h>

#include "input/rotation.h"

struct part {
	int fd;
	struct rotation_place at;	/* up to here it has been read */
	int64_t opened_ns;		/* when it was last modified before it was opened */
	int64_t whole;			/* a line longer than what is read at once ends here */
	int64_t scanned;		/* up to here there is no end of a line */
	bool last_newline;		/* the last byte that was read was one */
	bool unpacked;			/* FD is what a compressed file holds */
};

/*
 * File I of R from OFF on; its descriptor is taken from R.  Errors: those of
 * rotation_fd(), and -EMFILE where hardly a descriptor is left.
 */
int part_open(struct part *p, struct rotation *r, size_t i, int64_t off);

/*
 * The next bytes of P: whole lines, or with TORN all.  Returns 0 where there are
 * none, -ESTALE where the bytes before them are others.  part_take() takes them.
 */
ssize_t part_read(struct part *p, char *to, size_t n, bool torn);
void part_take(struct part *p, const char *from, size_t n);

/* Is there a whole line behind the place?  A log's format is told by the first. */
bool part_has_line(struct part *p);
bool part_has_bytes(const struct part *p);

/* Has the file no name any more? */
bool part_is_unlinked(const struct part *p);

/* When the file was last modified, in ns since 1970; 0 where that cannot be told. */
int64_t part_modified_ns(const struct part *p);

#endif
