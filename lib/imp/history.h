/*
 * history - the entries of devices' logs that were not shown yet.
 *
 * Pages of the history are numbered from the newest entry, and so shift while
 * they are read; entries come from the stream as well.  What was shown is
 * therefore remembered, entry by entry: the last 8192 of all.
 */
#ifndef IMP_HISTORY_H
#define IMP_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "imp/client.h"
#include "imp/device.h"
#include "imp/entry.h"

enum { HISTORY_SEEN = 8192, HISTORY_RECENT = 64 };

struct history_device {
	char id[IMP_ID_TEXT];
	char recent[HISTORY_RECENT][40];	/* times of the last entries shown */
	size_t n_recent;
	bool complete;			/* all that was there when we began was shown */
};

struct history {
	struct imp *imp;
	struct history_device *devices;
	size_t n_devices;
	uint64_t seen[HISTORY_SEEN];
	size_t n_seen;
};

void history_init(struct history *h, struct imp *i);
void history_release(struct history *h);

/* Follow device ID; what the server does not know is an error. */
int history_add_device(struct history *h, const char *id, struct fail *f);

/* NULL where it is none of ours. */
struct history_device *history_find_device(struct history *h, const char *id);

/* E is shown now; false where it was already. */
bool history_show(struct history *h, const struct imp_entry *e);

/* A name for E by which history_know() knows it again: "DEVICE TIME HASH". */
void history_format_id(const struct imp_entry *e, struct buf *out);
void history_know(struct history *h, const char *id);

struct history_found {
	struct imp_entry *v;		/* by their times */
	size_t n, cap;
	struct buf gap;			/* what is missing, empty for nothing */
};

/* Add to X what was not shown of device D, back to what was. */
int history_read(struct history *h, struct history_device *d, struct history_found *x, struct fail *f);

void history_found_sort(struct history_found *x);
void history_found_release(struct history_found *x);

#endif
