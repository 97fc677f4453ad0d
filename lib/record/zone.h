/*
 * zone - what local time means: a fixed offset, or a zone of the tz database.
 *
 * A zone is written "UTC", "Z", "+02:00", "-0430", "UTC+12", "UTC5.5", "local"
 * or as a name below /usr/share/zoneinfo ("Europe/Berlin").
 * Errors: -EINVAL for a text that is no zone, -ENOENT for an unknown name.
 */
#ifndef RECORD_ZONE_H
#define RECORD_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zone;

int zone_open(const char *text, struct zone **out);
void zone_free(struct zone *z);

/* Does every time of it have the same offset? */
bool zone_is_fixed(const struct zone *z);

/*
 * The UTC seconds of the local seconds LOCAL.  Where the clock was put back
 * and LOCAL came twice, the first that is not before AFTER, or else the
 * first; where it was put forward and LOCAL never came, by the offset before.
 */
int64_t zone_to_utc(const struct zone *z, int64_t local, int64_t after);

/* Seconds east of UTC at the front of P: "Z", "+hh[[:]mm]", "UTC", "UTC[+-]h[.f|:mm]", "GMT"; returns bytes used, 0 for none. */
size_t zone_parse_offset(const char *p, size_t n, int64_t *east_s);

#endif
