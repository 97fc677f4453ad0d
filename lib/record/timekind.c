#include <errno.h>
#include <string.h>

#include "record/calendar.h"
#include "record/timekind.h"
#include "record/timenumber.h"

#define NS	INT64_C(1000000000)

static const char *const names[] = {
	[TIME_ANY] = "any", [TIME_RFC3339] = "rfc3339", [TIME_SYSLOG] = "syslog", [TIME_EPOCH] = "epoch",
	[TIME_KLOG] = "klog", [TIME_CLF] = "clf", [TIME_TAI64N] = "tai64n", [TIME_DMESG] = "dmesg",
	[TIME_CTIME] = "ctime", [TIME_MDY] = "mdy", [TIME_DMY] = "dmy", [TIME_YMD] = "ymd",
	[TIME_LOGCAT] = "logcat", [TIME_AUDIT] = "audit", [TIME_CLOCK] = "clock", [TIME_NONE] = "none",
};

int
timekind_parse_name(const char *name)
{
	for (int i = 0; i < TIME_KINDS; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -EINVAL;
}

const char *
timekind_name(enum time_kind kind)
{
	return names[kind];
}

/* Three letters of one of N names of three letters each: its number from 1, or 0. */
static int64_t
read_name(struct text *t, const char *list, int n)
{
	if (t->at + 3 > t->n)
		return 0;
	for (int i = 0; i < n; i++)
		if (strncasecmp(t->p + t->at, list + (size_t)i * 3, 3) == 0) {
			t->at += 3;
			return i + 1;
		}
	return 0;
}

/* The rest of a name of which three letters were read: nothing, or all of REST. */
static void
read_rest(struct text *t, const char *rest)
{
	const size_t n = strlen(rest);

	if (n && t->at + n <= t->n && strncasecmp(t->p + t->at, rest, n) == 0)
		t->at += n;
}

/* "Nov" or "November"; also "Sept", as Java has it for some locales. */
static bool
read_month(struct text *t, int64_t *out)
{
	static const char *const rest[] = {
		"uary", "ruary", "ch", "il", "", "e", "y", "ust", "tember", "ober", "ember", "ember",
	};

	*out = read_name(t, "JanFebMarAprMayJunJulAugSepOctNovDec", 12);
	if (*out)
		read_rest(t, rest[*out - 1]);
	if (*out == 9 && (text_peek(t) == 't' || text_peek(t) == 'T') && !text_is_alpha(text_peek_at(t, 1)))
		t->at++;
	return *out > 0;
}

/* "Sat" or "Saturday". */
static bool
read_weekday(struct text *t)
{
	static const char *const rest[] = { "day", "sday", "nesday", "rsday", "day", "urday", "day" };
	const int64_t day = read_name(t, "MonTueWedThuFriSatSun", 7);

	if (day)
		read_rest(t, rest[day - 1]);
	return day > 0;
}

static void
moment_fraction(struct text *t, struct moment *m)
{
	text_fraction(t, &m->frac_ns, &m->res, &m->frac_at, &m->digits);
}

/* "AM" or "PM" after a clock of twelve hours, whose hour is H; false where the hour is none of those. */
static bool
read_half(struct text *t, int64_t h, struct moment *m)
{
	size_t blank = text_peek(t) == ' ';
	char c = text_peek_at(t, blank) & (char)0xdf;

	if ((c != 'A' && c != 'P') || (text_peek_at(t, blank + 1) & (char)0xdf) != 'M' ||
	    text_is_alpha(text_peek_at(t, blank + 2)) || text_is_digit(text_peek_at(t, blank + 2)))
		return true;
	if (h < 1 || h > 12)
		return false;
	t->at += blank + 2;
	m->of_day += (c == 'P') * 43200 - (h == 12) * 43200;
	return true;
}

/* H:MM:SS with all that may follow; with SHORT also H:MM.  Second 60 is a leap second. */
static bool
read_clock(struct text *t, struct moment *m, char colon, bool shorter)
{
	int64_t h, min, s = 0;

	if (text_peek(t) == ' ' && text_is_digit(text_peek_at(t, 1)) && text_peek_at(t, 2) == colon)
		t->at++;		/* a blank for the first digit */
	if (!text_number(t, 1, 2, &h) || !text_skip(t, colon) || !text_number(t, 2, 2, &min) || h > 24 || min > 59)
		return false;
	m->res = 60 * NS;
	m->frac_at = 0;
	if (text_peek(t) == colon && text_is_digit(text_peek_at(t, 1)) && text_is_digit(text_peek_at(t, 2))) {
		t->at++;
		if (!text_fixed(t, 2, &s) || s > 60 || (text_is_digit(text_peek(t))))
			return false;
		m->of_day = h * 3600 + min * 60 + s;
		moment_fraction(t, m);
	} else if (!shorter || text_is_digit(text_peek(t))) {
		return false;
	}
	m->of_day = h * 3600 + min * 60 + s;
	return read_half(t, h, m);
}

/* Is there a byte that, with another one behind it, would belong to the zone of LEN bytes before it? */
static bool
zone_may_go_on(const struct text *t, size_t len)
{
	const char *zone = t->p + t->at - len;
	const char c = text_peek(t);

	if (t->at >= t->n)
		return false;
	if (len == 0)
		return c == '+' || c == '-' || text_is_alpha(c);
	if (*zone == 'Z' || *zone == 'z' || (len >= 5 && (*zone == '+' || *zone == '-')))
		return false;
	return c && strchr("+-.:0123456789", c);
}

/* May what stands behind an offset of hours alone, " -03", follow one? */
static bool
ends_short_offset(const struct text *t, size_t after)
{
	char c = text_peek_at(t, after);

	return c == '\0' || c == ' ' || c == ']' || c == '\n' || c == '\r';
}

static size_t
zone_length(const struct text *t, size_t blank, const struct zone *zone, struct moment *m)
{
	const char *p = t->p + t->at + blank;
	const size_t n = t->n - t->at - blank;
	size_t len = zone_parse_offset(p, n, &m->east_s);

	/* A word that only begins like a zone is text, and so is "-1" or "+5" after a blank. */
	if (len && blank && (*p == '+' || *p == '-') && len < 5 && !(len == 3 && ends_short_offset(t, blank + 3)))
		return 0;
	if (len && (*p == 'Z' || *p == 'z') && n > 1 && (text_is_alpha(p[1]) || text_is_digit(p[1])))
		len = 0;
	if (len == 3 && (*p == 'U' || *p == 'G') && n > 3 && text_is_alpha(p[3]))
		len = 0;
	return len ? len : zone_parse_name(zone, p, n, &m->east_s, &m->zone_unsure);
}

/* The zone behind the stamp, after a blank or not. */
static void
read_zone(struct text *t, const struct zone *zone, struct moment *m)
{
	size_t blank = text_peek(t) == ' ', len = t->at + blank < t->n ? zone_length(t, blank, zone, m) : 0;

	m->zoned = len > 0;
	m->zone_may_follow = len == 0 && blank;
	if (len)
		t->at += blank + len;
	if (!m->zone_may_follow && zone_may_go_on(t, len))
		m->frac_at = 0;		/* the next time may only look the same */
}

static bool
set_date(struct moment *m, int64_t y, int64_t month, int64_t day)
{
	if (y < 1700 || y > 2260 || !calendar_is_date(y, month, day))
		return false;
	m->s = calendar_days(y, month, day) * CALENDAR_DAY + m->of_day;
	return true;
}

static bool
set_no_year(struct moment *m, int64_t month, int64_t day)
{
	m->lacks = LACKS_YEAR;
	m->month = month;
	m->day = day;
	return calendar_is_date(0, month, day);
}

static int64_t
four_digit_year(int64_t y)
{
	return y < 70 ? y + 2000 : y < 100 ? y + 1900 : y;
}

/* The contents of a compact ISO 8601 time: hhmm[ss]. */
static bool
read_compact_clock(struct text *t, struct moment *m)
{
	int64_t h, min, s = 0;

	if (!text_fixed(t, 2, &h) || !text_fixed(t, 2, &min) || h > 24 || min > 59)
		return false;
	m->res = 60 * NS;
	if (text_is_digit(text_peek(t)) && (!text_fixed(t, 2, &s) || s > 60))
		return false;
	if (text_is_digit(text_peek(t)))
		return false;
	m->of_day = h * 3600 + min * 60 + s;
	moment_fraction(t, m);
	return true;
}

/*
 * 2026-11-21-20.16.00.123456, and DB2's diagnostic log has minutes east behind it;
 * 2026/11/21-20:16:00.123456 of RocksDB.
 */
static bool
read_clock_behind_dash(struct text *t, struct moment *m)
{
	int64_t east = 0;

	if (text_digits(t, 3) != 2)
		return false;
	if (text_peek_at(t, 2) == ':')
		return read_clock(t, m, ':', false);
	if (!read_clock(t, m, '.', false))
		return false;
	if ((text_peek(t) == '+' || text_peek(t) == '-') && text_digits(&(struct text){ t->p, t->n, t->at + 1 }, 4) == 3) {
		bool west = t->p[t->at++] == '-';

		text_fixed(t, 3, &east);
		m->zoned = true;
		m->east_s = (west ? -east : east) * 60;
	}
	return true;
}

/* What follows a date of RFC 3339 and the like. */
static bool
read_iso_clock(struct text *t, struct moment *m)
{
	int64_t hms = 0;

	switch (text_peek(t)) {
	case 'T':
	case 't':
	case ' ':
	case '\t':
	case '_':
		if (text_peek(t) == ' ' && text_peek_at(t, 1) == ' ')	/* Icecast's two blanks */
			t->at++;
		t->at++;
		return read_clock(t, m, ':', true);
	case '-':
		t->at++;
		return read_clock_behind_dash(t, m);
	case ':':			/* 2026/11/21:201600 of the Contoso scripts */
		t->at++;
		if (text_digits(t, 7) != 6)
			return read_clock(t, m, ':', false);
		text_fixed(t, 6, &hms);
		m->of_day = hms / 10000 * 3600 + hms / 100 % 100 * 60 + hms % 100;
		moment_fraction(t, m);
		return true;
	default:
		return false;
	}
}

static bool
parse_rfc3339(struct text *t, const struct zone *zone, struct moment *m)
{
	int64_t y, month, day;
	char dash;

	if (text_is_alpha(text_peek(t))) {		/* a weekday, as in systemd's short-full */
		if (!read_weekday(t) || !text_skip(t, ' ') || text_digits(t, 5) != 4)
			return false;
	}
	if (!text_fixed(t, 4, &y) || y < 1700 || y > 2260)
		return false;
	dash = text_peek(t);
	if (text_is_digit(dash)) {			/* 20261121T201600 */
		if (!text_fixed(t, 2, &month) || !text_fixed(t, 2, &day) || !text_skip(t, 'T') ||
		    !read_compact_clock(t, m))
			return false;
	} else {
		if (dash != '-' && dash != '/' && dash != '.' && !(dash == ' ' && text_is_alpha(text_peek_at(t, 1))))
			return false;
		t->at++;
		if (text_is_alpha(text_peek(t)) ? !read_month(t, &month) : !text_number(t, dash == '.' ? 2 : 1, 2, &month))
			return false;
		if (!text_skip(t, dash) || !text_number(t, 1, 2, &day) || !read_iso_clock(t, m))
			return false;
	}
	if (!set_date(m, y, month, day))
		return false;
	if (!m->zoned)
		read_zone(t, zone, m);
	return true;
}

/* A day of the month, in one column or two. */
static bool
read_day(struct text *t, int64_t *day)
{
	if (text_peek(t) == ' ' && text_is_digit(text_peek_at(t, 1)))
		t->at++;
	return text_number(t, 1, 2, day) && *day >= 1 && *day <= 31;
}

static bool
parse_syslog(struct text *t, const struct zone *zone, struct moment *m)
{
	int64_t month, day;

	if (text_is_digit(text_peek(t))) {		/* ntpd: "21 Nov 20:16:00" */
		if (!text_number(t, 1, 2, &day) || !text_skip(t, ' ') || !read_month(t, &month) || !text_skip(t, ' '))
			return false;
	} else {
		if (read_weekday(t) && !text_skip(t, ' '))	/* mongod 2.4 */
			return false;
		if (!read_month(t, &month) || (!text_skip(t, ' ') && !text_skip(t, '/')) || !read_day(t, &day) ||
		    !text_skip(t, ' '))		/* with a slash: RouterOS 6 of this year's days */
			return false;
	}
	if (!read_clock(t, m, ':', false))
		return false;
	(void)zone;
	return set_no_year(m, month, day);
}

/* " UTC 2026" or " 2026": what date(1) and ctime(3) have behind the clock. */
static bool
read_year_behind(struct text *t, const struct zone *zone, int64_t *y, struct moment *m)
{
	if (!text_skip(t, ' '))
		return false;
	if (text_is_alpha(text_peek(t)) || text_peek(t) == '+' || text_peek(t) == '-') {
		size_t len = zone_length(t, 0, zone, m);

		m->zoned = len > 0;
		while (!m->zoned && len < ZONE_NAME_MAX && text_is_alpha(text_peek_at(t, len)))	/* a name that nothing knows */
			len++;
		t->at += len;
		if (!text_skip(t, ' '))
			return false;
	}
	return text_number(t, 4, 4, y) && *y >= 1970 && *y < 2100 && !text_is_alpha(text_peek(t)) && text_peek(t) != '-' &&
	    text_peek(t) != '.';
}

/* The year with its clock, behind a date: "2026 20:16:00". */
static bool
read_year_and_clock(struct text *t, int64_t *y, struct moment *m)
{
	const unsigned digits = text_digits(t, 5);

	if ((digits != 4 && digits != 2) || !text_number(t, digits, digits, y))
		return false;
	*y = four_digit_year(*y);
	text_skip(t, ',');
	return text_skip(t, ' ') && read_clock(t, m, ':', false);
}

/*
 * What follows a weekday of RFC 5322 (21 Nov 2026 20:16:00 +0000, as date(1) of some
 * locales has it, too), of RFC 850 (21-Nov-26 20:16:00 GMT), or of a cookie (21-Nov-2026).
 */
static bool
parse_day_first(struct text *t, const struct zone *zone, struct moment *m)
{
	int64_t y, month, day;
	char dash;

	if (!text_number(t, 1, 2, &day))
		return false;
	dash = text_peek(t);
	if ((dash != ' ' && dash != '-') || !text_skip(t, dash) || !read_month(t, &month) || !text_skip(t, dash) ||
	    !read_year_and_clock(t, &y, m) || !set_date(m, y, month, day))
		return false;
	read_zone(t, zone, m);
	return true;
}

/* nov/21/2026 20:16:00 of RouterOS 6 */
static bool
parse_month_slash(struct text *t, int64_t month, struct moment *m)
{
	int64_t y, day;

	return text_skip(t, '/') && text_number(t, 1, 2, &day) && text_skip(t, '/') && text_digits(t, 5) == 4 &&
	    read_year_and_clock(t, &y, m) && set_date(m, y, month, day);
}

static bool
parse_ctime(struct text *t, const struct zone *zone, struct moment *m)
{
	int64_t y, month, day;
	bool weekday = read_weekday(t);

	if (weekday) {
		text_skip(t, ',');
		if (!text_skip(t, ' '))
			return false;
		if (text_is_digit(text_peek(t)))
			return parse_day_first(t, zone, m);
	}
	if (!read_month(t, &month))
		return false;
	if (text_peek(t) == '/')
		return parse_month_slash(t, month, m);
	if (!text_skip(t, ' ') || !read_day(t, &day))
		return false;
	text_skip(t, ',');
	if (!text_skip(t, ' '))
		return false;
	if (text_digits(t, 5) == 4) {		/* Nov 21 2026 20:16:00 */
		if (!read_year_and_clock(t, &y, m) || !set_date(m, y, month, day))
			return false;
		read_zone(t, zone, m);
		return true;
	}
	if (!read_clock(t, m, ':', false) || !read_year_behind(t, zone, &y, m))
		return false;
	if (text_is_digit(text_peek(t)))
		m->frac_at = 0;
	return set_date(m, y, month, day);
}

static bool
parse_klog(struct text *t, const struct zone *zone, struct moment *m)
{
	int64_t y = 0, month, day;
	bool year;

	(void)zone;
	if (!text_peek(t) || !strchr("IWEF", text_peek(t)))
		return false;
	t->at++;
	year = text_digits(t, 9) == 8;		/* glog with --log_year_in_prefix */
	if ((year && !text_fixed(t, 4, &y)) || !text_fixed(t, 2, &month) || !text_fixed(t, 2, &day) ||
	    !text_skip(t, ' ') || !read_clock(t, m, ':', false))
		return false;
	return year ? set_date(m, y, month, day) : set_no_year(m, month, day);
}

static bool
parse_clf(struct text *t, const struct zone *zone, struct moment *m)
{
	int64_t y, month, day;
	char dash;

	if (!text_number(t, 1, 2, &day))
		return false;
	dash = text_peek(t);
	if (dash != '/' && dash != '-' && dash != ' ')
		return false;
	t->at++;
	if (!read_month(t, &month) || !text_skip(t, dash) || !text_number(t, 4, 4, &y))
		return false;
	text_skip(t, ',');
	if (text_peek(t) == ':' && text_peek_at(t, 1) == ':')	/* Erlang's 21-Nov-2026::20:16:00 */
		t->at++;
	if ((!text_skip(t, ':') && !text_skip(t, ' ') && !text_skip(t, 'T')) || !read_clock(t, m, ':', false))
		return false;
	if (!set_date(m, y, month, day))
		return false;
	read_zone(t, zone, m);
	return true;
}

/* 11/21/2026 20:16:00: month or day first, as BIGENDIAN says. */
static bool
parse_slashes(struct text *t, const struct zone *zone, struct moment *m, bool day_first)
{
	int64_t a, b, y;
	unsigned year_digits;
	char dash;

	if (!text_number(t, 1, 2, &a))
		return false;
	dash = text_peek(t);
	if (dash != '/' && dash != '-' && (dash != '.' || !day_first))
		return false;
	t->at++;
	if (!text_number(t, 1, 2, &b) || !text_skip(t, dash))
		return false;
	year_digits = text_digits(t, 5);		/* 21-11-26 would be 2021 as well */
	if ((year_digits != 4 && (year_digits != 2 || dash == '-')) || !text_number(t, 2, 4, &y))
		return false;
	text_skip(t, ',');
	if (!text_skip(t, ' ') && !text_skip(t, '-') && !text_skip(t, 'T') && !text_skip(t, '\t'))
		return false;
	if (!read_clock(t, m, ':', true))
		return false;
	m->day_order = dash != '.' && a <= 12 && b <= 12 && a != b;
	if (!set_date(m, four_digit_year(y), day_first ? b : a, day_first ? a : b))
		return false;
	read_zone(t, zone, m);
	return true;
}

static bool
parse_mdy(struct text *t, const struct zone *zone, struct moment *m)
{
	return parse_slashes(t, zone, m, false);
}

static bool
parse_dmy(struct text *t, const struct zone *zone, struct moment *m)
{
	return parse_slashes(t, zone, m, true);
}

static bool
parse_ymd(struct text *t, const struct zone *zone, struct moment *m)
{
	unsigned digits = text_digits(t, 9);
	int64_t y, month, day;

	if (digits == 2) {			/* 26/11/21 20:16:00 */
		if (!text_fixed(t, 2, &y) || !text_skip(t, '/') || !text_number(t, 2, 2, &month) || !text_skip(t, '/') ||
		    !text_number(t, 2, 2, &day))
			return false;
		m->unit_unsure = y <= 31 && month <= 12 && y >= 1;
	} else if (digits == 6 || digits == 8) {
		if (!text_fixed(t, digits - 4, &y) || !text_fixed(t, 2, &month) || !text_fixed(t, 2, &day))
			return false;
	} else {
		return false;
	}
	if (!text_skip(t, ' ') && !(digits == 8 && (text_skip(t, '-') || text_skip(t, ':'))))
		return false;
	if (digits != 2 && text_digits(t, 7) == 6) {
		if (!read_compact_clock(t, m))
			return false;
	} else if (!read_clock(t, m, ':', false)) {
		return false;
	}
	if (!set_date(m, four_digit_year(y), month, day))
		return false;
	read_zone(t, zone, m);
	return true;
}

static bool
parse_logcat(struct text *t, const struct zone *zone, struct moment *m)
{
	int64_t month, day;
	bool geth;
	char dash;

	(void)zone;
	if (!text_number(t, 2, 2, &month))
		return false;
	dash = text_peek(t);
	if (dash != '-' && dash != '/')
		return false;
	t->at++;
	if (!text_number(t, 2, 2, &day))
		return false;
	geth = dash == '-' && text_skip(t, '|');
	if ((!geth && !text_skip(t, dash == '-' ? ' ' : '-')) || !read_clock(t, m, ':', false) || (!geth && m->digits < 3))
		return false;
	return set_no_year(m, month, day);
}

static bool
parse_clock(struct text *t, const struct zone *zone, struct moment *m)
{
	const size_t at = t->at;

	m->lacks = LACKS_DAY;
	if (!read_clock(t, m, ':', false)) {	/* without seconds only with AM or PM behind it: "8:16PM INF" of zerolog */
		t->at = at;
		if (!read_clock(t, m, ':', true) || (t->p[t->at - 1] & (char)0xdf) != 'M')
			return false;
	}
	if (text_is_alpha(text_peek(t)))
		return false;
	(void)zone;
	return true;
}

bool
timekind_parse(enum time_kind kind, const char *p, size_t n, const struct zone *zone, struct moment *out)
{
	static bool (*const parse[TIME_KINDS])(struct text *, const struct zone *, struct moment *) = {
		[TIME_RFC3339] = parse_rfc3339, [TIME_SYSLOG] = parse_syslog, [TIME_EPOCH] = timenumber_parse_epoch,
		[TIME_KLOG] = parse_klog, [TIME_CLF] = parse_clf, [TIME_TAI64N] = timenumber_parse_tai64n,
		[TIME_DMESG] = timenumber_parse_dmesg, [TIME_CTIME] = parse_ctime, [TIME_MDY] = parse_mdy,
		[TIME_DMY] = parse_dmy, [TIME_YMD] = parse_ymd, [TIME_LOGCAT] = parse_logcat,
		[TIME_AUDIT] = timenumber_parse_audit, [TIME_CLOCK] = parse_clock,
	};
	struct text t = { p, n, 0 };

	if (!parse[kind])
		return false;
	*out = (struct moment){ .kind = kind, .res = NS };
	if (!parse[kind](&t, zone, out))
		return false;
	out->len = t.at;
	return true;
}
