/*
 * tail - a feed of a file that grows, is rotated, truncated, removed and made
 * again.
 *
 * What was renamed is read to its end first, and what was rotated in between,
 * too.  Where the file was copied and truncated, the copy is read on.  What
 * cannot be found any more is a gap.  A line is handed out when it is whole;
 * the torn last line of a file that has been replaced gets a newline.
 */
#ifndef INPUT_TAIL_H
#define INPUT_TAIL_H

#include "base/filewatch.h"
#include "input/feed.h"

/* PATH need not be there yet. */
struct feed *tail_new(const char *path, struct filewatch *filewatch);

#endif
