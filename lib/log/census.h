/*
 * census - what is learned from reading the logs once before they are merged:
 * which ids are needed but sent by nobody, and how far the clocks are apart.
 *
 * Errors: a source that cannot be read ends where it does; the merge reports it.
 */
#ifndef LOG_CENSUS_H
#define LOG_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "log/rule.h"
#include "log/source.h"

struct census;

/*
 * Read all of V, which are seekable, by up to THREADS at once, and rewind them.  With OFFSETS the
 * offset of each source's clock is estimated into it (ns; 0 where nothing is
 * known or nothing is wrong).
 */
struct census *census_run(struct source **v, unsigned n, const struct rules *rules, unsigned threads,
    int64_t *offsets);
void census_free(struct census *s);

/* Does anybody send ID that somebody needs? */
bool census_is_matched(const struct census *s, uint64_t id);

/* Whether ID is matched is about to be asked. */
void census_prefetch(const struct census *s, uint64_t id);

/* What the messages contradict each other by, in ns: the noise of the clocks. */
int64_t census_noise(const struct census *s);

#endif
