/*
 * tzrule - local time by a rule, as POSIX has it in TZ:
 *
 *	std offset [dst [offset] [,start[/time],end[/time]]]
 *	CET-1CEST,M3.5.0,M10.5.0/3	<+03>-3		EST5EDT
 *
 * A name is of letters, or anything between angle brackets; offsets are west
 * of Greenwich, hh[:mm[:ss]]; a day is Mmonth.week.weekday, Jday without the
 * 29th of February, or a day from 0.  Without days they are those of the USA.
 */
#ifndef RECORD_TZRULE_H
#define RECORD_TZRULE_H

#include <stdbool.h>
#include <stdint.h>

struct tzrule_change {
	char kind;		/* 'M', 'J' or '0' */
	int month, week, day;
	int32_t at_s;		/* after midnight, by the clock that is put */
};

struct tzrule {
	int32_t east_s, dst_east_s;
	bool has_dst;
	struct tzrule_change start, end;	/* of daylight saving time */
};

/* All of TEXT.  Errors: -EINVAL. */
int tzrule_parse(const char *text, struct tzrule *out);

/* When daylight saving time starts and ends in YEAR: UTC seconds. */
void tzrule_year(const struct tzrule *r, int64_t year, int64_t *start, int64_t *end);

#endif
