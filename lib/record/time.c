#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "record/prefix.h"
#include "record/scan.h"
#include "record/time.h"

#define NS	INT64_C(1000000000)

/* Times beyond the years 1678 to 2262 do not fit into nanoseconds. */
#define MAX_S	(INT64_MAX / NS - 86400)

enum {
	PREFIX_STEPS = 400,	/* what is skipped before a time: NULs and blanks, most of all */
	DETECT_LINES = 1000,	/* that are looked at for a time, where none has one */
	STRONG_ENOUGH = 100,	/* lines whose time is plain: the others need not be looked at */
	WEAK_SHARE = 4,		/* one line in so many has a weak kind of time, if that is the kind of the log */
};

int
time_parse_kinds(const char *list, uint32_t *out)
{
	_cleanup_free_ char *copy = xstrdup(list);
	char *save = NULL;

	*out = 0;
	for (char *word = strtok_r(copy, " \t,", &save); word; word = strtok_r(NULL, " \t,", &save)) {
		int kind = timekind_parse_name(word);

		if (kind < 0)
			return kind;
		if (kind != TIME_NONE)
			*out |= TIME_SET(kind);
	}
	return 0;
}

void
time_init(struct time_ctx *c, uint32_t kinds, const struct zone *zone, int64_t limit_s)
{
	*c = (struct time_ctx){ .kinds = kinds & TIME_SET(TIME_ANY) ? TIME_ALL : kinds, .zone = zone,
	    .start = { .limit_s = limit_s }, .calendar = { .limit_s = limit_s }, .last_s = -MAX_S,
	    .prefixes = kinds & TIME_SET(TIME_ANY) ? PREFIX_NAMES : 0 };
}

void
time_restart(struct time_ctx *c)
{
	c->calendar = c->start;
	c->last_s = -MAX_S;
	c->prefix_len = 0;
}

/* The order in which kinds are tried: those that are part of another one come after it. */
static const enum time_kind order[] = {
	TIME_RFC3339, TIME_CTIME, TIME_SYSLOG, TIME_CLF, TIME_KLOG, TIME_YMD, TIME_MDY, TIME_DMY, TIME_LOGCAT,
	TIME_TAI64N, TIME_DMESG, TIME_AUDIT, TIME_EPOCH, TIME_CLOCK,
};

/* May a stamp of any kind begin with C? */
static bool
may_begin(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '@' || c == '[' || (c && strchr("adfjmnos", c));
}

static bool
try_kinds(const struct time_ctx *c, const char *p, size_t n, struct moment *m)
{
	if (!may_begin(*p))
		return false;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		if ((c->kinds & TIME_SET(order[i])) && timekind_parse(order[i], p, n, c->zone, m))
			return true;
	return false;
}

/*
 * Behind words, only what has a date, a time and a "T" between them is a stamp;
 * behind strace's process id, seconds with a fraction and a time of day, too.
 */
static bool
is_behind_words(const struct moment *m, const char *p, size_t words_at, size_t at)
{
	if (m->kind == TIME_RFC3339)
		return memchr(p + at, 'T', m->len - at) != NULL;
	while (words_at < at && p[words_at] >= '0' && p[words_at] <= '9')
		words_at++;
	return (m->kind == TIME_CLOCK || (m->kind == TIME_EPOCH && m->digits)) && p[words_at] == ' ';
}

/* The stamp of a line, behind what stands before it. */
static bool
find_stamp(const struct time_ctx *c, const char *p, size_t n, struct moment *m)
{
	size_t at = 0, step, words = 0, words_at = 0;

	for (int i = 0; i < PREFIX_STEPS && at < n; i++) {
		if (try_kinds(c, p + at, n - at, m)) {
			m->len += at;
			m->frac_at += m->frac_at ? at : 0;
			return words == 0 || is_behind_words(m, p, words_at, at);
		}
		step = prefix_skip(p, n, at, c->prefixes & ~(unsigned)PREFIX_WORDS);
		if (step == 0 && (c->prefixes & PREFIX_WORDS) && words++ < 2) {
			words_at = words == 1 ? at : words_at;
			step = prefix_skip(p, n, at, PREFIX_WORDS);
		}
		if (step == 0)
			return false;
		at += step;
	}
	return false;
}

/* Seconds UTC of M. */
static int64_t
resolve(struct time_ctx *c, struct moment *m)
{
	int64_t local = m->s;

	if (m->lacks == LACKS_BOOT) {
		m->frac_ns += c->boot_ns % NS;
		return m->s + c->boot_ns / NS;
	}
	if (m->absolute)
		return m->s;
	if (m->lacks == LACKS_YEAR)
		local = calendar_add_year(&c->calendar, m->month, m->day, m->of_day);
	else if (m->lacks == LACKS_DAY)
		local = calendar_add_day(&c->calendar, m->of_day);
	if (m->zoned)
		return local - m->east_s;
	c->by_zone = true;
	/* Times may be a little out of order where the hour comes twice. */
	return zone_to_utc(c->zone, local, c->last_s - 600);
}

/*
 * Remember the text, so that time_again() knows the next: only where all that
 * decides it is fixed, so not near a change of the zone's offset.
 */
static void
remember_date(struct time_ctx *c, const char *p, size_t n, const struct moment *m, int64_t s)
{
	size_t tail = m->frac_at + m->digits, end = m->len + 1;
	bool half;

	c->prefix_len = 0;
	if (m->frac_at == 0 || m->frac_at > TIME_CACHE || end > n || end - tail > TIME_TAIL || end <= tail ||
	    m->frac_at + m->digits + (end - tail) + ZONE_OFFSET_MAX + 2 > 64 || p[m->len] == '\n' ||
	    (!m->absolute && !m->zoned && !zone_is_steady(c->zone, s)))
		return;
	/* A dot without digits: the same with some would look like it; and what a longer zone could go on with. */
	if ((m->digits == 0 && strchr(".,:", p[tail])) || (m->zoned && strchr(".:0123456789", p[m->len])))
		return;
	/* These kinds have no zone behind them, but may have AM or PM. */
	half = m->kind == TIME_SYSLOG || m->kind == TIME_KLOG || m->kind == TIME_LOGCAT || m->kind == TIME_CLOCK;
	if (half && (p[m->len] & 0xc0) == 0x40)
		return;
	c->half_may_follow = half && p[m->len] == ' ';
	memcpy(c->prefix, p, m->frac_at);
	memcpy(c->tail, p + tail, end - tail);
	c->digits = m->digits;
	c->zone_may_follow = m->zone_may_follow;
	/* a stamp of syslog with a year behind it is one of ctime */
	c->year_may_follow = m->kind == TIME_SYSLOG && p[m->len] == ' ';
	c->tail_len = (unsigned)(end - tail);
	c->res = m->res;
	c->base_ns = s * NS;
	c->prefix_len = (unsigned)m->frac_at;
}

size_t
time_parse(struct time_ctx *c, const char *p, size_t n, struct stamp *out)
{
	struct moment m;
	int64_t s;

	if (c->prefix_len && n >= 64 && time_again(c, p, &out->ns)) {
		out->res = c->res;
		return c->prefix_len + c->digits + c->tail_len - 1;
	}
	if (n == 0 || !c->kinds || !find_stamp(c, p, n, &m))
		return 0;
	s = resolve(c, &m);
	if (s > MAX_S || s < -MAX_S)
		return 0;
	out->ns = s * NS + m.frac_ns;
	out->res = m.res;
	c->last_s = s;
	c->last_kind = m.kind;
	remember_date(c, p, n, &m, s);
	return m.len;
}

static bool
is_key(struct span key, const char *a, const char *b)
{
	return (strlen(a) == key.n && memcmp(a, key.p, key.n) == 0) || (strlen(b) == key.n && memcmp(b, key.p, key.n) == 0);
}

/* MongoDB's {"$date":...}; protobuf's and Log4j's seconds and nanoseconds. */
static bool
parse_object(struct time_ctx *c, const char *p, size_t n, struct stamp *out)
{
	struct scan s = { p, p + n };
	struct span key, value;
	int64_t seconds = -1, nanos = -1;

	while (scan_json(&s, &key, &value)) {
		if (is_key(key, "$date", "$numberLong"))
			return time_parse_value(c, value.p, value.n, out);
		if (is_key(key, "seconds", "epochSecond") && value.n <= 10)
			seconds = time_digits(value.p, (unsigned)value.n);
		else if (is_key(key, "nanos", "nanoOfSecond") && value.n <= 9)
			nanos = time_digits(value.p, (unsigned)value.n);
	}
	if (seconds < 0 || seconds > MAX_S)
		return false;
	*out = (struct stamp){ seconds * NS + (nanos > 0 ? nanos : 0), nanos < 0 ? NS : 1 };
	c->last_kind = TIME_EPOCH;
	return true;
}

bool
time_parse_value(struct time_ctx *c, const char *p, size_t n, struct stamp *out)
{
	if (n && *p == '{')
		return (c->kinds & TIME_SET(TIME_EPOCH)) && parse_object(c, p, n, out);
	return time_parse(c, p, n, out) > 0;
}

/* How the lines of a sample look. */
struct tally {
	unsigned lines, strong, words, kinds[TIME_KINDS];
	bool day_first, month_first;
	bool day_order, year_order, zone_unsure;	/* some line could be read otherwise */
};

static void
tally_line(struct tally *t, struct time_ctx *c, const char *p, size_t n)
{
	struct moment m;

	t->lines++;
	c->kinds = TIME_STRONG;
	c->prefixes = PREFIX_NAMES;
	if (find_stamp(c, p, n, &m)) {
		t->strong++;
		t->day_order |= m.day_order;
		t->year_order |= m.unit_unsure;
		t->zone_unsure |= m.zone_unsure;
		t->kinds[m.kind]++;
		t->month_first |= m.kind == TIME_MDY && !m.day_order;
		t->day_first |= m.kind == TIME_DMY && !m.day_order;
		return;
	}
	c->kinds = TIME_SET(TIME_EPOCH) | TIME_SET(TIME_CLOCK);
	if (find_stamp(c, p, n, &m)) {
		t->kinds[m.kind]++;
		return;
	}
	c->kinds = TIME_ALL;
	c->prefixes = PREFIX_NAMES | PREFIX_WORDS;
	if (find_stamp(c, p, n, &m)) {
		t->words++;
		t->kinds[m.kind]++;
	}
}

bool
time_detect(struct time_ctx *c, const char *text, size_t n)
{
	struct tally t = { 0 };
	const char *end = text + n;

	for (const char *p = text, *nl; p < end && t.lines < DETECT_LINES &&
	    (t.strong < STRONG_ENOUGH || t.day_order); p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			nl = end;
		if (nl > p)
			tally_line(&t, c, p, (size_t)(nl - p));
	}
	c->kinds = TIME_STRONG;
	c->prefixes = PREFIX_NAMES;
	c->prefix_len = 0;
	/* Where one line says that the day is first, it is so in all. */
	if (t.day_first && !t.month_first)
		c->kinds &= ~TIME_SET(TIME_MDY);
	c->day_order = t.day_order && !t.day_first && !t.month_first;
	c->unit_unsure = t.year_order;
	c->zone_unsure = t.zone_unsure;
	if (t.strong)
		return true;
	if (t.kinds[TIME_EPOCH] * WEAK_SHARE >= t.lines && t.kinds[TIME_EPOCH])
		c->kinds |= TIME_SET(TIME_EPOCH);
	else if (t.kinds[TIME_CLOCK] * WEAK_SHARE >= t.lines && t.kinds[TIME_CLOCK])
		c->kinds |= TIME_SET(TIME_CLOCK);
	else if (t.words == 0 || t.words * WEAK_SHARE < t.lines)
		c->kinds = 0;
	if (t.words && t.words * WEAK_SHARE >= t.lines)
		c->prefixes |= PREFIX_WORDS;
	return c->kinds != 0;
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
	time_init(&c, TIME_STRONG | TIME_SET(TIME_EPOCH), zone, now_s + CALENDAR_DAY);
	if (time_parse(&c, text, strlen(text), &t) != strlen(text)) {
		if (strlen(text) != 10)		/* a day */
			return -EINVAL;
		snprintf(day, sizeof day, "%sT00:00:00", text);
		if (time_parse(&c, day, strlen(day), &t) != strlen(day))
			return -EINVAL;
	}
	*ns = t.ns;
	return 0;
}
