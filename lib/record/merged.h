/*
 * merged - what a record of a merged log says beside its text: the output of
 * rejoin-log, as text with prefixes or as JSON, that is merged once more
 * (order=merged).
 *
 * A watermark is a line of its own among JSON records, {"watermark":TIME}: all
 * records behind it have a later time.
 */
#ifndef RECORD_MERGED_H
#define RECORD_MERGED_H

#include <stdbool.h>
#include <stdint.h>

#include "record/regex.h"

/* The source that the record TEXT had before it was merged; no pointer where it does not say. */
struct span merged_emitter(struct span text);

/* Is TEXT a watermark?  NS is its time, since 1970. */
bool merged_watermark(struct span text, int64_t *ns);

#endif
