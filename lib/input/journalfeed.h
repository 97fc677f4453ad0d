/*
 * journalfeed - a feed of the journal, by journalctl(1).
 *
 * If journalctl ends, it is run again, from the last entry on that came.
 */
#ifndef INPUT_JOURNALFEED_H
#define INPUT_JOURNALFEED_H

#include "input/feed.h"

/* LOCATION is "journal:UNIT", or "journal:" for all of it; DIR is where its files are, NULL for this machine's. */
struct feed *journalfeed_new(const char *location, const char *dir);

#endif
