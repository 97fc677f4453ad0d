/*
 * historyfile - a file of history records, a line each (task/taskhistory.h).
 *
 *	{"id":HLC,"task":HLC,"owner":UID,"session":HLC,"event":NAME,"time":"...",...}
 *
 * The first members stand in this order, so that a line can be selected without
 * being parsed.
 */
#ifndef TASK_HISTORYFILE_H
#define TASK_HISTORYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/json.h"

struct history_line {
	const char *text;	/* with its newline; LEN bytes */
	size_t len;
	off_t at;		/* its offset in the file */
	int64_t id, task;
	uid_t owner;
	bool is_end;		/* an event that ends a task */
};

/* Other than 0 ends the reading. */
typedef int historyfile_fn(const struct history_line *l, void *cookie);

/*
 * Each whole line of the file PATH from the offset FROM, where a line begins, to
 * FN.  0, or a negative errno; a file that is missing has no lines.
 */
int historyfile_each(const char *path, off_t from, historyfile_fn *fn, void *cookie);

/* A record without its newline; MORE is an object, or JSON_ABSENT. */
void historyfile_format(struct buf *out, int64_t id, int64_t task, uid_t owner, int64_t session, const char *event,
    struct json more);

/* Does EVENT end a task? */
bool historyfile_is_end(const char *event);

#endif
