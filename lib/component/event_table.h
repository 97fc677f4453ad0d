/*
 * event_table - events as rows of a table that grows, for a person at a terminal.
 *
 * The columns are TIME (local, when the event is printed), EVENT, ID, VERSION and CAUSE.
 * Their widths are fixed, because later rows are not known; a longer cell
 * moves the rest of its row.  Bytes that control a terminal are escaped.
 */
#ifndef COMPONENT_EVENT_TABLE_H
#define COMPONENT_EVENT_TABLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"

struct event_table {
	bool begun;		/* the heading was added */
};

/* Add the row of EVENT to OUT, the heading before the first one. */
void event_table_add(struct event_table *t, struct json event, struct buf *out);

#endif
