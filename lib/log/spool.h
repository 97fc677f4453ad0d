/*
 * spool - what can be read once alone (pipes, FIFOs, compressed files, commands) is
 * copied into files without a name, so that it can be read twice.
 *
 * All of them are read at the same time, as each has something: one process may
 * write to several FIFOs.  A journal cannot be spooled: its entries are more than
 * their bytes.
 *
 * Errors: EXIT_TROUBLE where they are longer than the limit together, or a file
 * cannot be written; EXIT_USAGE for a source that cannot be spooled.
 */
#ifndef LOG_SPOOL_H
#define LOG_SPOOL_H

#include "log/sources.h"

/* Copy at most LIMIT bytes of all that are not seekable; these then are. */
int spool_run(struct sources *all, int64_t limit, struct fail *f);

#endif
