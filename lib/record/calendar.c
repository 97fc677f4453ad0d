#include <time.h>

#include "record/calendar.h"

enum { BACK_MAX = 7 * CALENDAR_DAY, BACK_MAX_DAY = 6 * 3600 };

/* Howard Hinnant's days_from_civil. */
int64_t
calendar_days(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t
calendar_year_of(int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	return gmtime_r(&t, &tm) ? tm.tm_year + 1900 : 1970;
}

static bool
is_leap(int64_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

bool
calendar_is_date(int64_t y, int64_t m, int64_t d)
{
	static const char days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return m >= 1 && m <= 12 && d >= 1 && d <= days[m - 1] && (m != 2 || d < 29 || y == 0 || is_leap(y));
}

static int64_t
second_of(int64_t y, int64_t m, int64_t d, int64_t of_day)
{
	return calendar_days(y, m, d) * CALENDAR_DAY + of_day;
}

int64_t
calendar_add_year(struct calendar *c, int64_t m, int64_t d, int64_t of_day)
{
	const int64_t bound = c->anchored ? c->last_s - BACK_MAX : c->limit_s;
	int64_t y = calendar_year_of(bound) + 1;

	/* The latest one that is not after the bound; where there is a last one, the one after that. */
	while (!calendar_is_date(y, m, d) || second_of(y, m, d, of_day) > bound)
		y--;
	if (c->anchored && second_of(y, m, d, of_day) < bound) {
		int64_t next = y + 1;

		while (!calendar_is_date(next, m, d))
			next++;
		/* The 29th of February may be years away: then it was the one before. */
		if (next == y + 1 || second_of(next, m, d, of_day) - c->last_s < 400 * (int64_t)CALENDAR_DAY)
			y = next;
	}
	c->guessed = c->anchored = true;
	return c->last_s = second_of(y, m, d, of_day);
}

int64_t
calendar_add_day(struct calendar *c, int64_t of_day)
{
	const int64_t bound = c->anchored ? c->last_s - BACK_MAX_DAY : c->limit_s;
	int64_t s = bound - (bound % CALENDAR_DAY + CALENDAR_DAY) % CALENDAR_DAY + of_day;

	if (s > bound)
		s -= CALENDAR_DAY;
	if (c->anchored && s < bound)
		s += CALENDAR_DAY;
	c->guessed = c->anchored = true;
	return c->last_s = s;
}

/* S with its year less by YEARS; a 29th of February that does not exist becomes the day before. */
static int64_t
years_before(int64_t s, int64_t years)
{
	const time_t t = (time_t)s;
	struct tm tm;
	int64_t y;

	if (!gmtime_r(&t, &tm))
		return s;
	y = tm.tm_year + 1900 - years;
	return second_of(y, tm.tm_mon + 1, tm.tm_mday - !calendar_is_date(y, tm.tm_mon + 1, tm.tm_mday),
	    (s % CALENDAR_DAY + CALENDAR_DAY) % CALENDAR_DAY);
}

int64_t
calendar_back(int64_t first, int64_t last, int64_t limit, bool days)
{
	const int64_t over = last - limit;
	int64_t years;

	if (over <= 0)
		return first;
	if (days)
		return first - (over + CALENDAR_DAY - 1) / CALENDAR_DAY * CALENDAR_DAY;
	years = over / (366 * (int64_t)CALENDAR_DAY);
	while (years_before(last, years) > limit)
		years++;
	return years_before(first, years);
}
