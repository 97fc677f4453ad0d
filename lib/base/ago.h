/*
 * ago - a time as a person says it: "5 s ago", "2 min ago", "in 3 h", "4 d ago"; from 30
 * days on the date, "2026-11-02".  Records keep the exact time.
 */
#ifndef BASE_AGO_H
#define BASE_AGO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Add TEXT, an RFC 3339 time in UTC ("2026-11-21T20:16:00.1Z"), as it is seen at
 * NOW_S seconds since 1970, to OUT.  A text that is no such time is added as it
 * is, and the result is false.
 */
bool ago_format(const char *text, int64_t now_s, struct buf *out);

#endif
