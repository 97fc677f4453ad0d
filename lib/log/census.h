/*
 * census - what is learned from reading the logs once before they are merged:
 * which ids are needed by time before they are sent, or are sent by nobody,
 * and how far the clocks are apart.
 *
 * They are read as if they were merged by time.  Of an id that is sent and soon
 * after needed nothing is kept: 8 bytes are for each one that is not, and room
 * for more.
 *
 * Errors: a source that cannot be read ends where it does; the merge reports it.
 */
#ifndef LOG_CENSUS_H
#define LOG_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "record/rule.h"
#include "record/source.h"

struct census;

/*
 * Read all of V, which are seekable, by up to THREADS at once, and rewind them.
 * What was sent WINDOW_NS before may be looked for once more.  With OFFSETS the
 * offset of each source's clock is estimated into it (ns; 0 where nothing is
 * known or nothing is wrong), and the rest is told of clocks that are put right.
 */
struct census *census_run(struct source **v, unsigned n, const struct rules *rules, unsigned threads,
    int64_t window_ns, int64_t *offsets);
void census_free(struct census *s);

/*
 * Estimate OFFSETS from the first records of those of V that are seekable, from
 * when all of them had begun; 0 where few messages are among them.
 */
void census_sample(struct source **v, unsigned n, const struct rules *rules, int64_t *offsets);

/* Is all that is needed sent before, by time? */
bool census_is_clean(const struct census *s);

/* Is ID needed, and never sent? */
bool census_is_unsent(const struct census *s, uint64_t id);

/* Is ID sent, but not in the window before it is needed?  Is any? */
bool census_is_early(const struct census *s, uint64_t id);
bool census_has_early(const struct census *s);

/* Any other id is needed at most so long after it was sent (ns). */
int64_t census_window(const struct census *s);

#endif
