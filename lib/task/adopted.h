/*
 * adopted - which records of which store a controller has in its local history:
 * the file "adopted" of its directory (task/controller.h).
 *
 *	{"history":HLC,"bytes":N,"store":HLC,"before":HLC,"others":[{"store":HLC,"history":HLC}...]}
 *
 * A store is named by its id (task/store.h), because two agents may be reached
 * by the same target one after the other: an id says which records were taken
 * only within its own store.  "history" is the last record of "store", which
 * answered last, "others" are the stores before it, and "bytes" is the size of
 * the local history.  Of more than ADOPTED_STORES stores the oldest is dropped,
 * and "before" is the last of its records.
 *
 * A file without "store" was written before stores were told apart, and so is
 * store 0: that of an agent which does not tell its store.
 */
#ifndef TASK_ADOPTED_H
#define TASK_ADOPTED_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

enum { ADOPTED_STORES = 16 };

struct adopted_mark {
	int64_t store, history;		/* both 0 for none */
};

struct adopted {
	struct adopted_mark marks[ADOPTED_STORES];	/* that of the store which answered last first */
	size_t n;
	int64_t before, bytes;
};

/* What the file PATH says; nothing where it is missing, an error where it is damaged. */
int adopted_load(const char *path, struct adopted *a, struct fail *f);
void adopted_format(const struct adopted *a, struct buf *out);

/* The mark of STORE, which has answered; it is the first one from now on. */
struct adopted_mark *adopted_of(struct adopted *a, int64_t store);

/*
 * Add to OUT the lines of TEXT (JSON Lines, ids rising) that the first store has
 * after its mark and that the file HISTORY does not have yet; the mark is moved
 * behind them.  0, or a negative errno.
 */
int adopted_select(struct adopted *a, const char *history, const char *text, size_t len, struct buf *out);

#endif
