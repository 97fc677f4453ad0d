/*
 * journalfeed - a feed of the journal, by journalctl(1).
 *
 * If journalctl ends, it is run again, from the last entry on that came.
 */
#ifndef FEED_JOURNALFEED_H
#define FEED_JOURNALFEED_H

#include "feed/feed.h"

/* LOCATION is "journal:UNIT", or "journal:" for all of it. */
struct feed *journalfeed_new(const char *location);

#endif
