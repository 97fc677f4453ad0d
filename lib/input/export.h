/*
 * export - journald's export format, as it comes, in pieces of any size.
 *
 *	NAME=value		a field of text
 *	NAME			or of any bytes: a line of its name, its length in 8
 *	<8 bytes>value		bytes, the least first, the value, a newline
 *	(an empty line)		the end of the entry
 *
 * Of each entry the fields that matter to a log are kept, of a value not more
 * than EXPORT_MESSAGE_MAX bytes, or EXPORT_VALUE_MAX of any but the message.
 * What is no such format is passed over up to the next line.
 */
#ifndef INPUT_EXPORT_H
#define INPUT_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { EXPORT_MESSAGE_MAX = 1 << 20, EXPORT_VALUE_MAX = 1 << 12, EXPORT_NAME_MAX = 256 };

enum export_name {
	EXPORT_CURSOR, EXPORT_REALTIME, EXPORT_MONOTONIC, EXPORT_SEQNUM, EXPORT_SEQNUM_ID, EXPORT_BOOT_ID,
	EXPORT_SOURCE_REALTIME, EXPORT_HOSTNAME, EXPORT_IDENTIFIER, EXPORT_COMM, EXPORT_PID, EXPORT_SYSLOG_PID,
	EXPORT_PRIORITY, EXPORT_UNIT_INVOCATION, EXPORT_INVOCATION, EXPORT_MESSAGE, EXPORT_N
};

/* A field that is not there is empty. */
struct export_entry {
	struct buf v[EXPORT_N];
};

typedef void export_fn(const struct export_entry *e, void *cookie);

struct export {			/* zero it, and export_init() */
	enum { EXPORT_IN_NAME, EXPORT_IN_TEXT, EXPORT_IN_LENGTH, EXPORT_IN_DATA, EXPORT_AT_END } state;
	char name[EXPORT_NAME_MAX];
	size_t n_name;
	int field;		/* -1: one that is not kept */
	unsigned n_length;
	uint64_t left;
	bool any;		/* the entry has a field */
	struct export_entry entry;
};

void export_init(struct export *x);
void export_release(struct export *x);

/* N more bytes have come: FN is called for each entry that ends in them, and E is gone after the call. */
void export_put(struct export *x, const char *p, size_t n, export_fn *fn, void *cookie);

/* The field as a number, -1 where it is none. */
int64_t export_number(const struct export_entry *e, enum export_name name);

/*
 * The entry as journalctl -o short-iso-precise prints it: time, host, identifier
 * and message, without a newline at the end.  What the service manager says of a
 * unit also says of which run of it.
 */
void export_text(const struct export_entry *e, struct buf *out);

/* When it happened, in ns since 1970: as its program said, or else when it was received; -1 for never. */
int64_t export_time_ns(const struct export_entry *e);

#endif
