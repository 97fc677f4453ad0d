/*
 * calendar - dates: days since 1970, and the year or the day that a time stamp leaves out.
 *
 * What is left out comes from the order of the file.  The stamps of one source
 * are resolved one after the other, each near the one before it:
 *
 *	without a year	a step back of more than 7 days is the next year, a step
 *			forward of more than 358 days is the year before
 *	without a day	a step back of more than 6 hours is the next day, a step
 *			forward of more than 18 hours is the day before
 *
 * The first stamp is the latest one that is not after LIMIT_S.  To resolve the
 * same stamp again gives the same time.
 *
 * Units: seconds of local civil time, counted as if it were UTC.
 */
#ifndef RECORD_CALENDAR_H
#define RECORD_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

enum { CALENDAR_DAY = 86400 };

struct calendar {
	int64_t limit_s;	/* no first stamp is after it */
	int64_t last_s;		/* the stamp before, if ANCHORED */
	bool anchored;
	bool guessed;		/* a stamp without a year or a day was seen */
};

/* Days since 1970 of a date of the Gregorian calendar. */
int64_t calendar_days(int64_t year, int64_t month, int64_t day);

/* The year in which the second S lies. */
int64_t calendar_year_of(int64_t s);

/* Does the month have that day?  February has 29 days where YEAR is 0. */
bool calendar_is_date(int64_t year, int64_t month, int64_t day);

/* Resolve a stamp without a year, OF_DAY seconds after the midnight of its day. */
int64_t calendar_add_year(struct calendar *c, int64_t month, int64_t day, int64_t of_day);

/*
 * The first of stamps that were resolved from FIRST on to LAST, put back by as
 * many years (or, with DAYS, days) as have LAST not after LIMIT.
 */
int64_t calendar_back(int64_t first, int64_t last, int64_t limit, bool days);

/* Resolve a stamp that is only OF_DAY seconds after a midnight. */
int64_t calendar_add_day(struct calendar *c, int64_t of_day);

#endif
