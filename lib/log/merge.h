/*
 * merge - the plain merge: records by time, ties by the source's name.
 *
 * A k-way merge of sources whose records keep their order among themselves
 * (so an earlier time behind a later one stands where it stands).  This is the
 * fast way, taken where no edge but the order of each file can matter; its
 * output is that of log/order.h there, byte for byte.
 */
#ifndef LOG_MERGE_H
#define LOG_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "log/ledger.h"
#include "output/filter.h"
#include "output/render.h"
#include "record/rule.h"
#include "record/source.h"

struct merge_count {
	int64_t records;
	int64_t inherited;	/* without a time of their own */
	int64_t newest_ns;
};

/* Who watches a merge, range by range, and may find that time does not do. */
struct merge_watch {
	/* Enter in L what is to be known of a record.  Called by the workers, at the same time. */
	void (*each)(struct source *s, const struct record *r, struct ledger *l, void *cookie);
	/* What each() entered for a range, one range after the other: may it be written? */
	bool (*accept)(struct ledger *l, void *cookie);
	/*
	 * Merge V, which begin with the range that was not accepted, at least up to
	 * the key UNTIL.  true: from the offsets AT on time does again.
	 */
	bool (*resume)(struct source **v, unsigned n, int64_t until, int64_t *at, void *cookie);
	void *cookie;
	bool silent;		/* nothing is to be written at all */
};

/*
 * Merge V, sorted by rank, into OUT; FILTER, where it is not NULL, decides
 * which records are printed and counted.  Stops early where OUT has an error.
 */
void merge_run(struct source **v, unsigned n, struct filter *filter, struct render *out, struct merge_count *count);

/*
 * As merge_run() of seekable files, by THREADS workers: the range of keys is
 * cut where every file can be cut by bisection, and the pieces, of about PIECE
 * bytes (0: as many as is best), are merged side by side and written in order.
 * false where the sources do not allow it, and nothing was done.  WATCH and
 * FILTER may be NULL; each worker has a share of FILTER.
 */
bool merge_parallel(struct source **v, unsigned n, unsigned threads, size_t piece, const struct merge_watch *watch,
    const struct filter *filter, struct render *out, struct merge_count *count);

/* Watch the merge of V by one thread, in ranges of a number of records, while they are accepted; nothing is written. */
void merge_watched(struct source **v, unsigned n, const struct merge_watch *watch);

/*
 * Merge records up to the key LIMIT, exclusive; false where one was at LIMIT or
 * beyond, and the work is in vain.  What WATCH says of each goes to L.
 */
bool merge_range(struct source **v, unsigned n, int64_t limit, const struct merge_watch *watch,
    struct ledger *l, struct filter *filter, struct render *out, struct merge_count *count);

#endif
