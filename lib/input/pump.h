/*
 * pump - a feed that is read to its end, as a file is.
 *
 * The feed runs in a loop of its own, which turns only while a read waits for
 * bytes.  So a source of events is the same whether it is followed or not.  What
 * was read is acknowledged at once.
 *
 * A pump is used by one thread at a time.
 */
#ifndef INPUT_PUMP_H
#define INPUT_PUMP_H

#include "input/feed.h"

struct feed_pump;

/* Start FEED, which the pump takes; pump_feed() lends it.  NULL with F filled, and FEED freed, where it cannot start. */
struct feed_pump *pump_new(struct feed *feed, struct fail *f);
void pump_free(struct feed_pump *p);

struct feed *pump_feed(const struct feed_pump *p);

/* As read(2), which waits for bytes; 0 at the end. */
ssize_t pump_read(struct feed_pump *p, char *to, size_t n);

/* The first failure that the feed reported, copied to F; false for none. */
bool pump_failed(const struct feed_pump *p, struct fail *f);

#endif
