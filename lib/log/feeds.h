/*
 * feeds - which feed a source is followed by.
 */
#ifndef LOG_FEEDS_H
#define LOG_FEEDS_H

#include "base/lookout.h"
#include "log/feed.h"
#include "log/spec.h"

/* A new feed of what SPEC says. */
struct feed *feeds_new(const struct spec *spec, struct lookout *lookout);

#endif
