/*
 * taskcursor - where a reader is in the output of all tasks of a session, as a text
 * that the agent makes and the reader returns: the agent remembers nothing.
 *
 *	cursor = "" | item *("," item)
 *	item = DELTA [ "." OUT [ "." ERR ] ] | DELTA "-"
 *
 * DELTA is the id less that of the item before, OUT and ERR the offsets of the
 * next bytes, all in base 36 with small letters; "-" marks a task whose end was
 * sent.  A task without an item is at its beginning.
 */
#ifndef TASK_TASKCURSOR_H
#define TASK_TASKCURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { TASKCURSOR_MAX = 6000 };	/* bytes of the text: it stands in a request line of at most 8 KiB */

struct taskcursor_item {
	int64_t id, at[2];
	bool over;
};

struct taskcursor {
	struct taskcursor_item *items;	/* ids rising */
	size_t n, cap;
};

#define _cleanup_taskcursor_	__attribute__((cleanup(taskcursor_release)))
void taskcursor_release(struct taskcursor *c);

/* -EBADMSG where TEXT is none. */
int taskcursor_parse(const char *text, struct taskcursor *c);

/* Add I, whose id is over the last one's, to C and to its TEXT; false where there is no room in TASKCURSOR_MAX. */
bool taskcursor_add(struct taskcursor *c, const struct taskcursor_item *i, struct buf *text);

/* NULL for none. */
const struct taskcursor_item *taskcursor_find(const struct taskcursor *c, int64_t id);

#endif
