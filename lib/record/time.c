#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/num.h"
#include "record/time.h"

#define NS	INT64_C(1000000000)

/* Times beyond the years 1678 to 2262 do not fit into nanoseconds. */
#define MAX_S	(INT64_MAX / NS - 86400)

static const char *const kinds[] = {
	[TIME_ANY] = "any", [TIME_RFC3339] = "rfc3339", [TIME_SYSLOG] = "syslog",
	[TIME_EPOCH] = "epoch", [TIME_KLOG] = "klog", [TIME_CLF] = "clf",
	[TIME_TAI64N] = "tai64n", [TIME_DMESG] = "dmesg", [TIME_CLOCK] = "clock",
	[TIME_NONE] = "none",
};

/* What a parser found: where the fraction stands, for the cache. */
struct found {
	int64_t s, frac_ns, res;
	size_t frac_at;		/* offset of the fraction's first digit, or of its place */
	unsigned digits;	/* as many as count: at most nine */
	size_t len;
	bool zoned;		/* the text names its zone */
	bool zone_may_follow;	/* it does not, but could have, behind the blank that follows */
};

int
time_kind_parse(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

void
time_init(struct time_ctx *c, enum time_kind kind, const struct zone *zone, int64_t ref_s)
{
	*c = (struct time_ctx){ .kind = kind, .zone = zone, .ref_s = ref_s, .last_s = -MAX_S };
}

/* Days since 1970 of a civil date: Howard Hinnant's days_from_civil. */
static int64_t
days(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t
number(const char *p, size_t n, size_t at, unsigned digits)
{
	return at + digits <= n ? time_digits(p + at, digits) : -1;
}

/* 1 to 12, or -1. */
static int64_t
month(const char *p, size_t n, size_t at)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	if (at + 3 > n)
		return -1;
	for (int i = 0; i < 12; i++)
		if (memcmp(p + at, names + (size_t)i * 3, 3) == 0)
			return i + 1;
	return -1;
}

/* HH:MM:SS at AT into *S; 0 where it is none.  Second 60 is a leap second. */
static bool
clock_at(const char *p, size_t n, size_t at, int64_t *s)
{
	int64_t h = number(p, n, at, 2), m = number(p, n, at + 3, 2), sec = number(p, n, at + 6, 2);

	if (h < 0 || h > 24 || m < 0 || m > 59 || sec < 0 || sec > 60 || p[at + 2] != ':' ||
	    p[at + 5] != ':')
		return false;
	*s = h * 3600 + m * 60 + sec;
	return true;
}

/* A fraction after "." or "," at AT; digits beyond the ninth do not count. */
static size_t
fraction(const char *p, size_t n, size_t at, struct found *f)
{
	int64_t unit = NS;
	size_t i = at;

	f->frac_at = at;
	f->res = NS;
	if (at + 1 >= n || (p[at] != '.' && p[at] != ',') || p[at + 1] < '0' || p[at + 1] > '9')
		return at;
	f->frac_at = ++i;
	for (; i < n && p[i] >= '0' && p[i] <= '9'; i++) {
		if (f->digits == 9)
			continue;
		f->digits++;
		unit /= 10;
		f->frac_ns += (p[i] - '0') * unit;
	}
	f->res = unit;
	return i;
}

/* UTC of local seconds in the source's zone; times may be a little out of order where the hour comes twice. */
static int64_t
by_zone(struct time_ctx *c, int64_t local)
{
	c->by_zone = true;
	return zone_to_utc(c->zone, local, c->last_s - 600);
}

/* Is there a byte at P that, with another one behind it, would belong to a zone of LEN bytes before it? */
static bool
zone_may_go_on(const char *p, size_t n, size_t at, size_t len)
{
	const char *zone = p + at - len;

	if (at >= n)
		return false;
	if (len == 0)
		return time_may_be_zone(p[at]);
	if (*zone == 'Z' || *zone == 'z' || (len >= 5 && (*zone == '+' || *zone == '-')))
		return false;
	return p[at] && strchr("+-.:0123456789", p[at]);
}

/* The zone at AT, after a blank or not, or that of the source: local seconds F->s become UTC. */
static size_t
zone_at(struct time_ctx *c, const char *p, size_t n, size_t at, struct found *f)
{
	size_t blank = at < n && p[at] == ' ', len = 0;
	int64_t east = 0;

	if (at + blank < n)
		len = zone_parse_offset(p + at + blank, n - at - blank, &east);
	/* A word that only begins like a zone is text, and so is "-1" or "+5" after a blank. */
	if (len && blank && (p[at + 1] == '+' || p[at + 1] == '-') && len < 5)
		len = 0;
	if (len && p[at + blank] == 'Z' && at + blank + 1 < n && (p[at + blank + 1] & 0xdf) >= 'A' &&
	    (p[at + blank + 1] & 0xdf) <= 'Z')
		len = 0;
	f->zoned = len > 0;
	f->zone_may_follow = len == 0 && blank;
	if (!f->zone_may_follow && zone_may_go_on(p, n, at + blank + len, len))
		f->frac_at = 0;		/* the next time may only look the same */
	f->s = len ? f->s - east : by_zone(c, f->s);
	return len ? at + blank + len : at;
}

static bool
rfc3339(struct time_ctx *c, const char *p, size_t n, struct found *f)
{
	int64_t y = number(p, n, 0, 4), m, d, s;
	size_t at = 5;

	if (y < 1700 || y > 2260 || n < 16 || (p[4] != '-' && p[4] != '/'))
		return false;
	m = number(p, n, at, 2);
	if (m < 0) {
		m = month(p, n, at);
		at++;
	}
	at += 2;
	if (m < 1 || m > 12 || at >= n || p[at] != p[4])
		return false;
	d = number(p, n, at + 1, 2);
	at += 3;
	if (d < 1 || d > 31 || at >= n || (p[at] != 'T' && p[at] != ' ' && p[at] != 't' && p[at] != ':'))
		return false;
	if (p[at] == ':') {			/* 2026/11/21:201600 of the Contoso scripts */
		int64_t hms = number(p, n, at + 1, 6);

		if (hms < 0)
			return false;
		s = hms / 10000 * 3600 + hms / 100 % 100 * 60 + hms % 100;
		at += 7;
	} else {
		if (!clock_at(p, n, at + 1, &s))
			return false;
		at += 9;
	}
	f->s = days(y, m, d) * 86400 + s;
	at = fraction(p, n, at, f);
	f->len = zone_at(c, p, n, at, f);
	return true;
}

static int64_t
year_of(int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	return gmtime_r(&t, &tm) ? tm.tm_year + 1900 : 1970;
}

/* Local seconds of a date without a year: the last one that is not a day beyond the reference. */
static int64_t
guess_year(const struct time_ctx *c, int64_t m, int64_t d, int64_t s)
{
	int64_t y = year_of(c->ref_s + 86400), at;

	for (;; y--) {
		if (m == 2 && d == 29 && (y % 4 || (y % 100 == 0 && y % 400)))
			continue;
		at = days(y, m, d) * 86400 + s;
		if (at <= c->ref_s + 86400)
			return at;
	}
}

static bool
syslog_time(struct time_ctx *c, const char *p, size_t n, struct found *f)
{
	int64_t m = month(p, n, 0), d, s;

	if (m < 0 || n < 15 || p[3] != ' ')
		return false;
	d = p[4] == ' ' ? number(p, n, 5, 1) : number(p, n, 4, 2);
	if (d < 1 || d > 31 || p[6] != ' ' || !clock_at(p, n, 7, &s))
		return false;
	f->s = by_zone(c, guess_year(c, m, d, s));
	f->len = fraction(p, n, 15, f);
	return true;
}

static bool
klog(struct time_ctx *c, const char *p, size_t n, struct found *f)
{
	int64_t md = number(p, n, 1, 4), s;

	if (md < 0 || n < 14 || !strchr("IWEF", p[0]) || !p[0] || p[5] != ' ' || md / 100 < 1 ||
	    md / 100 > 12 || md % 100 < 1 || md % 100 > 31 || !clock_at(p, n, 6, &s))
		return false;
	f->s = by_zone(c, guess_year(c, md / 100, md % 100, s));
	f->len = fraction(p, n, 14, f);
	return true;
}

static bool
clf(struct time_ctx *c, const char *p, size_t n, struct found *f)
{
	int64_t d = number(p, n, 0, 2), m = month(p, n, 3), y = number(p, n, 7, 4), s;

	if (d < 1 || d > 31 || m < 0 || y < 1700 || y > 2260 || n < 20 || p[2] != '/' || p[6] != '/' ||
	    p[11] != ':' || !clock_at(p, n, 12, &s))
		return false;
	f->s = days(y, m, d) * 86400 + s;
	f->len = zone_at(c, p, n, fraction(p, n, 20, f), f);
	return true;
}

static bool
epoch(const char *p, size_t n, struct found *f)
{
	static const int64_t per_s[] = { [10] = 1, [13] = 1000, [16] = 1000000, [19] = NS };
	size_t i = 0;
	int64_t v;

	while (i < n && i < 20 && p[i] >= '0' && p[i] <= '9')
		i++;
	/* Nanoseconds after 2255 do not fit. */
	if ((i != 10 && i != 13 && i != 16 && i != 19) || (i == 19 && p[0] == '9'))
		return false;
	v = time_digits(p, (unsigned)i);
	f->s = v / per_s[i];
	f->frac_ns = v % per_s[i] * (NS / per_s[i]);
	f->res = NS / per_s[i];
	f->frac_at = 10;
	f->digits = (unsigned)i - 10;
	f->len = i == 10 ? fraction(p, n, i, f) : i;
	return f->s <= MAX_S;
}

static bool
hex(const char *p, size_t n, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		int d = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' : p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10 : -1;

		if (d < 0)
			return false;
		*out = *out << 4 | (uint64_t)d;
	}
	return true;
}

/* Labels are TAI; daemontools and s6 count ten seconds from UTC to it, leap seconds aside. */
static bool
tai64n(const char *p, size_t n, struct found *f)
{
	uint64_t s, ns;

	if (n < 17 || p[0] != '@' || !hex(p + 1, 16, &s))
		return false;
	s -= (UINT64_C(1) << 62) + 10;
	if ((int64_t)s > MAX_S || (int64_t)s < -MAX_S)
		return false;
	f->s = (int64_t)s;
	f->res = NS;
	f->len = 17;
	if (n >= 25 && hex(p + 17, 8, &ns) && ns < (uint64_t)NS) {
		f->frac_ns = (int64_t)ns;
		f->res = 1;
		f->len = 25;
	}
	return true;
}

static bool
dmesg(const struct time_ctx *c, const char *p, size_t n, struct found *f)
{
	size_t i = 1;
	int64_t s = 0;

	if (n < 4 || p[0] != '[')
		return false;
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && i < 16 && p[i] >= '0' && p[i] <= '9'; i++)
		s = s * 10 + (p[i] - '0');
	f->len = fraction(p, n, i, f);
	if (f->len == i || f->len >= n || p[f->len] != ']' || s > MAX_S)
		return false;
	f->s = s + c->boot_ns / NS;
	f->frac_ns += c->boot_ns % NS;
	f->len++;
	return true;
}

/* Of the day of the reference; one that would be beyond it is of the day before. */
static bool
time_of_day(const struct time_ctx *c, const char *p, size_t n, struct found *f)
{
	int64_t s;

	if (n < 8 || !clock_at(p, n, 0, &s))
		return false;
	f->s = c->ref_s - (c->ref_s % 86400 + 86400) % 86400 + s;
	if (f->s > c->ref_s + 60)
		f->s -= 86400;
	f->len = fraction(p, n, 8, f);
	return true;
}

static bool
parse_kind(struct time_ctx *c, enum time_kind kind, const char *p, size_t n, struct found *f)
{
	*f = (struct found){ .res = NS };
	switch (kind) {
	case TIME_RFC3339:
		return rfc3339(c, p, n, f);
	case TIME_SYSLOG:
		return syslog_time(c, p, n, f);
	case TIME_EPOCH:
		return epoch(p, n, f);
	case TIME_KLOG:
		return klog(c, p, n, f);
	case TIME_CLF:
		return clf(c, p, n, f);
	case TIME_TAI64N:
		return tai64n(p, n, f);
	case TIME_DMESG:
		return dmesg(c, p, n, f);
	case TIME_CLOCK:
		return time_of_day(c, p, n, f);
	default:
		return false;
	}
}

static bool
parse_any(struct time_ctx *c, const char *p, size_t n, struct found *f)
{
	if (c->kind != TIME_ANY)
		return parse_kind(c, c->kind, p, n, f);
	for (int k = TIME_RFC3339; k <= TIME_DMESG; k++)
		if (parse_kind(c, (enum time_kind)k, p, n, f))
			return true;
	return false;
}

/*
 * Remember the text, so that time_again() knows the next: only where all that
 * decides it is fixed, so not with a zone whose offset changes.
 */
static void
remember(struct time_ctx *c, const char *p, size_t n, const struct found *f)
{
	size_t tail = f->frac_at + f->digits, end = f->len + 1;

	c->prefix_len = 0;
	if (f->frac_at == 0 || f->frac_at > TIME_CACHE || end > n || end - tail > TIME_TAIL ||
	    end <= tail || (c->by_zone && !zone_is_fixed(c->zone)) || p[f->len] == '\n')
		return;
	/* A dot without digits: the same with some would look like it; and what a longer zone could go on with. */
	if ((f->digits == 0 && (p[tail] == '.' || p[tail] == ',')) || (f->zoned && strchr(".:0123456789", p[f->len])))
		return;
	memcpy(c->prefix, p, f->frac_at);
	memcpy(c->tail, p + tail, end - tail);
	c->digits = f->digits;
	c->zone_may_follow = f->zone_may_follow;
	c->tail_len = (unsigned)(end - tail);
	c->res = f->res;
	c->base_ns = f->s * NS;
	c->prefix_len = (unsigned)f->frac_at;
}

size_t
time_parse(struct time_ctx *c, const char *p, size_t n, struct stamp *out)
{
	struct found f;

	if (c->prefix_len && n >= 64 && time_again(c, p, &out->ns)) {
		out->res = c->res;
		return c->prefix_len + c->digits + c->tail_len - 1;
	}
	if (n == 0 || !parse_any(c, p, n, &f))
		return 0;
	out->ns = f.s * NS + f.frac_ns;
	out->res = f.res;
	c->last_s = f.s;
	/* A dmesg's base has a fraction of its own, and TAI64N digits are hexadecimal. */
	if (p[0] != '[' && p[0] != '@')
		remember(c, p, n, &f);
	return f.len;
}

int
time_parse_text(const char *text, const struct zone *zone, int64_t now_s, int64_t *ns)
{
	struct time_ctx c;
	struct stamp t;
	int64_t ms;
	char day[32];

	if (num_parse_duration(text, &ms) == 0) {
		if (ms / 1000 > MAX_S / 2)
			return -EINVAL;
		*ns = now_s * NS - ms * 1000000;
		return 0;
	}
	if (!*text)
		return -EINVAL;
	time_init(&c, TIME_ANY, zone, now_s);
	if (time_parse(&c, text, strlen(text), &t) != strlen(text)) {
		/* a day, or without its seconds */
		if (strlen(text) != 10 && strlen(text) != 16)
			return -EINVAL;
		snprintf(day, sizeof day, "%s%s", text, strlen(text) == 10 ? "T00:00:00" : ":00");
		if (time_parse(&c, day, strlen(day), &t) != strlen(day))
			return -EINVAL;
	}
	*ns = t.ns;
	return 0;
}
