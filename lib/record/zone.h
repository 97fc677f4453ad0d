/*
 * zone - what local time means: a fixed offset, or a zone of the tz database.
 *
 * A zone is written "UTC", "Z", "+02:00", "-0430", "UTC+12", "UTC5.5", "local"
 * or as a name below /usr/share/zoneinfo ("Europe/Berlin").
 * Abbreviations (CET) are not zones of their own: their offset is known, when they hold is not.
 * Errors: -EINVAL for a text that is no zone, -ENOENT for an unknown name.
 */
#ifndef RECORD_ZONE_H
#define RECORD_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zone;

/* Bytes of a zone's abbreviation at most, and one behind it. */
enum { ZONE_NAME_MAX = 6, ZONE_OFFSET_MAX = 9 };	/* "UTC+05:30" */

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

/* The local seconds of the UTC second S. */
int64_t zone_from_utc(const struct zone *z, int64_t s);

/* Has the zone the same offset for all of the days around the UTC second S? */
bool zone_is_steady(const struct zone *z, int64_t s);

/*
 * An abbreviation at the front of P, "CET" or "PDT": returns the bytes used and
 * seconds east of UTC.  Those of Z count first, then a table of usual ones;
 * UNSURE is set where the table's abbreviation is in use by several zones.
 */
size_t zone_parse_name(const struct zone *z, const char *p, size_t n, int64_t *east_s, bool *unsure);

/* May AM or PM begin at P, of which two bytes can be read? */
static inline bool
zone_half_may_begin(const char *p)
{
	return (p[1] | 0x20) == 'm' && ((p[0] | 0x20) == 'a' || (p[0] | 0x20) == 'p');
}

/*
 * May a zone, or AM or PM, begin at P, of which ZONE_NAME_MAX bytes can be read?
 * Abbreviations are three to five capitals that end with T, and MSK.
 */
static inline bool
zone_may_begin(const char *p)
{
	if (p[0] == '+' || p[0] == '-' || p[0] == 'Z' || p[0] == 'z')
		return true;
	if ((p[0] & 0xc0) != 0x40)
		return false;
	return zone_half_may_begin(p) || p[2] == 'T' || p[3] == 'T' ||
	    p[4] == 'T' || (p[0] == 'U' && p[1] == 'T') || (p[0] == 'M' && p[1] == 'S');
}

/* May a year begin at P, or a zone and then a year?  ZONE_OFFSET_MAX + 2 bytes are read at most. */
static inline bool
zone_or_year_may_begin(const char *p)
{
	if (p[0] == '+' || p[0] == '-' || (p[0] >= '0' && p[0] <= '9'))
		return true;
	for (int i = 1; i <= ZONE_OFFSET_MAX; i++)
		if (p[i] == ' ')
			return p[i + 1] >= '0' && p[i + 1] <= '9';
	return false;
}

/* Seconds east of UTC at the front of P: "Z", "+hh[[:]mm]", "UTC", "UTC[+-]h[.f|:mm]", "GMT"; returns bytes used, 0 for none. */
size_t zone_parse_offset(const char *p, size_t n, int64_t *east_s);

#endif
