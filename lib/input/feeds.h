/*
 * feeds - which feed a source is followed by.
 */
#ifndef INPUT_FEEDS_H
#define INPUT_FEEDS_H

#include "input/feed.h"
#include "input/source_spec.h"
#include "input/tail.h"

/* A new feed of what SPEC says. */
struct feed *feeds_new(const struct source_spec *spec, struct tails *tails);

#endif
