/*
 * parts - the files that the path of a followed log is and was, the oldest first.
 *
 * The first part is being read, the last is the current file, and what was rotated
 * in between, compressed or not, stands between them.  A list is found again by
 * listing the directory (input/rotation.h) when the path may be another file, and by
 * the bytes before a place when a file was copied and truncated.  What cannot be
 * opened is told the feed's host, and tried again.
 *
 * One file may be followed under two names: the lists of one run share a struct
 * tails, and none takes a file that another one reads.
 *
 * The struct is open to input/tail, which reads the first part.
 */
#ifndef INPUT_PARTS_H
#define INPUT_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/filewatch.h"
#include "input/feed.h"
#include "input/part.h"

enum { PARTS_READ = 8 };	/* files read to their end, by which they are recognised */

struct parts {
	struct feed *feed;
	const char *path;		/* borrowed */
	struct tails *all;
	struct filewatch_item *watched;	/* removed with the list; NULL while the path is not watched */
	struct part *v;
	size_t n, cap;
	bool pinned;			/* one file, whatever the path leads to later */
	bool names;			/* the path may be another file by now */
	bool close_first;		/* nothing more is expected in the first part */
	int trouble;			/* why it cannot be opened: an errno that was reported; 0 for none */
	struct rotation_place here;	/* behind what was handed out last; with nothing yet, its time is that of the start */
	struct rotation_place read[PARTS_READ];
	size_t n_read;
	struct loop_timer again, unlinked;	/* the feed's; stopped with the list */
};

struct tails {
	struct filewatch *filewatch;
	struct parts **v;
	size_t n, cap;
};

/* LIST, which is zeros, of PATH, joins ALL. */
void parts_init(struct parts *list, const char *path, struct feed *feed, struct tails *all);
void parts_release(struct parts *list);

/* The file itself, without its rotated siblings: those are of the time before. */
void parts_begin(struct parts *list);

/* Go on MORE bytes behind the place that is saved in HERE; false where it is not found. */
bool parts_resume(struct parts *list, int64_t more);

/* The path is a file that was not there before: the first one, or what came after the last. */
void parts_find_next(struct parts *list);

/* The first part is not what it was, -ESTALE of part_read(): a copy of it may be. */
void parts_find_copy(struct parts *list);

/*
 * The first bytes of the current file have been read.  What it held before may
 * have been copied and truncated away meanwhile: then that is to be read first, and
 * the result is false.
 */
bool parts_is_first(struct parts *list);

/* Is the path another file than the last part? */
bool parts_is_replaced(const struct parts *list);

/* A pinned file that grew: open it again. */
void parts_reopen(struct parts *list);

/* The first part was read to its end. */
void parts_drop_first(struct parts *list);

/* Forget all parts: they are found again. */
void parts_close(struct parts *list);

#endif
