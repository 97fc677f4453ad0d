/*
 * source_open - how a log is opened: its bytes, its format, told from the first of
 * them, the kind of its times, and the years or days that these lack.
 *
 * Errors: EXIT_USAGE for what the specification says wrong, EXIT_TROUBLE else.
 */
#ifndef RECORD_SOURCE_OPEN_H
#define RECORD_SOURCE_OPEN_H

#include "record/source.h"

/*
 * Open what SPEC says, with up to BUFFER bytes read at once; KEEP_OPEN false
 * opens a file anew for each read, where there are more files than descriptors.
 */
int source_open(const struct source_spec *spec, const struct formats *fs, size_t buffer, bool keep_open,
    struct source **out, struct fail *f);

/*
 * The same in two steps, so that many can be opened before any is waited for: FINISH
 * waits for the first bytes.  A source that FINISH fails for is closed.
 */
int source_open_begin(const struct source_spec *spec, const struct formats *fs, size_t buffer, bool keep_open,
    struct source **out, struct fail *f);
int source_open_finish(struct source *s, const struct source_spec *spec, const struct formats *fs, struct fail *f);

/*
 * The same for FEED, of which the first bytes have come; read it with
 * source_next(), which gives 0 and leaves EOF unset where nothing is there yet.
 */
int source_open_feed(const struct source_spec *spec, const struct formats *fs, size_t buffer, struct feed *feed,
    struct source **out, struct fail *f);

#endif
