/*
 * timenumber - the kinds of record/timekind.h that are counts of seconds and no
 * dates: since 1970, in TAI, or since the boot.
 *
 * Each reads a stamp from the front of T into M, or returns false.
 */
#ifndef RECORD_TIMENUMBER_H
#define RECORD_TIMENUMBER_H

#include "record/text.h"
#include "record/timekind.h"

bool timenumber_parse_epoch(struct text *t, const struct zone *zone, struct moment *m);
bool timenumber_parse_audit(struct text *t, const struct zone *zone, struct moment *m);
bool timenumber_parse_tai64n(struct text *t, const struct zone *zone, struct moment *m);
bool timenumber_parse_dmesg(struct text *t, const struct zone *zone, struct moment *m);

#endif
