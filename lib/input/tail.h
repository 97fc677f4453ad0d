/*
 * tail - a feed of a file that grows, is rotated, truncated, removed and made
 * again.
 *
 * The name is resolved anew whenever a component of its path, a link among them
 * included, may have changed.  What was renamed is read to its end first, and so
 * is what was rotated in between, compressed or not.  Where the file was copied
 * and truncated, the copy is read on.  What cannot be found any more is a gap.  A
 * line is handed out when it is whole; the torn last line of a file that has been
 * replaced or removed gets a newline.
 *
 * A file that cannot be opened yet is reported and tried again.  One that has
 * no name any more is closed a moment after its end was reached.
 *
 * The tails of one run share a struct tails, by which a file that one of them
 * follows is not read by another as one of its own rotated files.
 */
#ifndef INPUT_TAIL_H
#define INPUT_TAIL_H

#include "base/filewatch.h"
#include "input/feed.h"

struct tails;

struct tails *tails_new(struct filewatch *filewatch);

/* After all its tails. */
void tails_free(struct tails *all);

/* PATH need not exist yet. */
struct feed *tail_new(const char *path, struct tails *all);

/*
 * The file that is PATH when it starts, and no other that gets its name later:
 * what was rotated before.  It is closed when it was read, and what it grows by
 * is read all the same.
 */
struct feed *tail_new_pinned(const char *path, struct tails *all);

#endif
