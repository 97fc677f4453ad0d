/*
 * feeds - which feed a source is followed by.
 */
#ifndef FEED_FEEDS_H
#define FEED_FEEDS_H

#include "base/lookout.h"
#include "feed/feed.h"
#include "feed/spec.h"

/* A new feed of what SPEC says. */
struct feed *feeds_new(const struct spec *spec, struct lookout *lookout);

#endif
