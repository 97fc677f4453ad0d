#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record/tzrule.h"

enum { DAY_S = 86400 };

static bool
take_name(const char **p)
{
	const char *from = *p;

	if (**p == '<') {
		*p = strchr(*p, '>');
		if (!*p)
			return false;
		++*p;
		return true;
	}
	while (isalpha((unsigned char)**p))
		++*p;
	return *p - from >= 3;
}

/* A number up to MAX, without a sign. */
static bool
take_number(const char **p, int max, int *out)
{
	*out = 0;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p) && *out <= max; ++*p)
		*out = *out * 10 + (**p - '0');
	return *out <= max;
}

/* [+-]hh[:mm[:ss]] in seconds; RFC 8536 lets the time of a change be up to a week. */
static bool
take_time(const char **p, int32_t *out)
{
	bool negative = **p == '-';
	int v, unit = 3600;

	*p += negative || **p == '+';
	if (!take_number(p, 167, &v))
		return false;
	*out = v * unit;
	while (**p == ':' && unit > 1) {
		++*p;
		unit /= 60;
		if (!take_number(p, 59, &v))
			return false;
		*out += v * unit;
	}
	if (negative)
		*out = -*out;
	return true;
}

static bool
take_change(const char **p, struct tzrule_change *c)
{
	*c = (struct tzrule_change){ .kind = '0', .at_s = 2 * 3600 };
	if (*(*p)++ != ',')
		return false;
	if (**p == 'M') {
		c->kind = *(*p)++;
		if (!take_number(p, 12, &c->month) || c->month < 1 || *(*p)++ != '.' ||
		    !take_number(p, 5, &c->week) || c->week < 1 || *(*p)++ != '.' || !take_number(p, 6, &c->day))
			return false;
	} else {
		if (**p == 'J')
			c->kind = *(*p)++;
		if (!take_number(p, 365, &c->day) || (c->kind == 'J' && c->day < 1))
			return false;
	}
	if (**p != '/')
		return true;
	++*p;
	return take_time(p, &c->at_s);
}

int
tzrule_parse(const char *text, struct tzrule *out)
{
	const char *p = text, *usa = ",M3.2.0,M11.1.0";
	struct tzrule r = { .has_dst = false };
	int32_t west;

	if (!take_name(&p) || !take_time(&p, &west))
		return -EINVAL;
	r.east_s = -west;
	if (*p) {
		r.has_dst = true;
		r.dst_east_s = r.east_s + 3600;
		if (!take_name(&p))
			return -EINVAL;
		if (*p && *p != ',') {
			if (!take_time(&p, &west))
				return -EINVAL;
			r.dst_east_s = -west;
		}
		if (!*p)
			p = usa;
		if (!take_change(&p, &r.start) || !take_change(&p, &r.end) || *p)
			return -EINVAL;
	}
	*out = r;
	return 0;
}

/* Midnight, as if it were UTC. */
static int64_t
midnight(int64_t year, int month, int day)
{
	struct tm tm = { .tm_year = (int)year - 1900, .tm_mon = month - 1, .tm_mday = day };

	return timegm(&tm);
}

static int64_t
change_at(const struct tzrule_change *c, int64_t year)
{
	int64_t first, next, day;

	if (c->kind != 'M') {
		bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

		return midnight(year, 1, 1) + (int64_t)DAY_S * (c->kind == 'J' ? c->day - !(leap && c->day >= 60) : c->day) +
		    c->at_s;
	}
	first = midnight(year, c->month, 1);
	next = midnight(year, c->month + 1, 1);
	/* 1970 began on a Thursday. */
	day = first / DAY_S + ((c->day - (first / DAY_S + 4)) % 7 + 7) % 7 + (c->week - 1) * 7;
	while (day * DAY_S >= next)
		day -= 7;
	return day * DAY_S + c->at_s;
}

void
tzrule_year(const struct tzrule *r, int64_t year, int64_t *start, int64_t *end)
{
	*start = change_at(&r->start, year) - r->east_s;
	*end = change_at(&r->end, year) - r->dst_east_s;
}
