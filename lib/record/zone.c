#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "record/tzrule.h"
#include "record/zone.h"

enum { YEAR_FIRST = 1970, YEAR_LAST = 2260 };

/* Offsets by time: from AT[i] on (UTC seconds), EAST[i + 1] holds; before the first, EAST[0]. */
struct zone {
	struct { char name[ZONE_NAME_MAX]; int32_t east; } *names;	/* abbreviations, the one in use last first */
	size_t n_names;
	size_t n;
	int64_t *at;
	int32_t *east;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One or two digits. */
static size_t
two_digits(const char *p, size_t n, int64_t *out)
{
	size_t i;

	*out = 0;
	for (i = 0; i < 2 && i < n && is_digit(p[i]); i++)
		*out = *out * 10 + (p[i] - '0');
	return i;
}

/* hh, hhmm, hh:mm, h.f (a fraction of an hour) after the sign. */
static size_t
zone_offset(const char *p, size_t n, int64_t *out_s)
{
	int64_t h, m = 0, unit = 360;
	size_t i = two_digits(p, n, &h), k;

	if (i == 0 || h > 18)
		return 0;
	*out_s = h * 3600;
	if (i + 1 < n && p[i] == '.' && is_digit(p[i + 1])) {
		for (i++; i < n && is_digit(p[i]); i++, unit /= 10)
			*out_s += (p[i] - '0') * unit;
		return i;
	}
	k = i < n && p[i] == ':' ? i + 1 : i;
	if ((i == 2 || k > i) && k + 1 < n && is_digit(p[k]) && is_digit(p[k + 1])) {
		two_digits(p + k, n - k, &m);
		if (m > 59)
			return i;
		*out_s += m * 60;
		return k + 2;
	}
	return i;
}

size_t
zone_parse_offset(const char *p, size_t n, int64_t *east_s)
{
	size_t i = 0, k;
	bool named, negative;

	*east_s = 0;
	if (n && (*p == 'Z' || *p == 'z'))
		return 1;
	named = n >= 3 && (memcmp(p, "UTC", 3) == 0 || memcmp(p, "GMT", 3) == 0);
	if (named)
		i = 3;
	negative = i < n && p[i] == '-';
	if (i < n && (p[i] == '+' || p[i] == '-'))
		k = zone_offset(p + i + 1, n - i - 1, east_s) + 1;
	else
		k = named ? zone_offset(p + i, n - i, east_s) : 0;	/* UTC12, as build-cli prints it */
	if (k == 0 || (k == 1 && !is_digit(p[i]))) {
		*east_s = 0;
		return i;
	}
	if (negative)
		*east_s = -*east_s;
	return i + k;
}

static int64_t
big_endian(const unsigned char *p, int bytes)
{
	uint64_t v = p[0] & 0x80 ? ~(uint64_t)0 : 0;

	while (bytes-- > 0)
		v = v << 8 | *p++;
	return (int64_t)v;
}

/* The counts of a TZif header (RFC 8536): isutcnt isstdcnt leapcnt timecnt typecnt charcnt. */
static size_t
body_size(const unsigned char *h, size_t width, int64_t count[6])
{
	for (int i = 0; i < 6; i++) {
		count[i] = big_endian(h + 20 + 4 * i, 4);
		if (count[i] < 0 || count[i] > 1 << 16)
			return 0;
	}
	return (size_t)count[3] * (width + 1) + (size_t)count[4] * 6 + (size_t)count[5] +
	    (size_t)count[2] * (width + 4) + (size_t)count[1] + (size_t)count[0] + 44;
}

static void
add_change(struct zone *z, int64_t at, int32_t east)
{
	if (z->n && at <= z->at[z->n - 1])
		return;		/* the table knows it */
	z->at[z->n] = at;
	z->east[++z->n] = east;
}

/* Go on by the rule where the table ends, or all along where there is none. */
static void
add_rule(struct zone *z, const struct tzrule *r)
{
	int64_t year = YEAR_FIRST, start, end;
	size_t most = z->n + 2 * (YEAR_LAST - YEAR_FIRST + 1) + 1;
	bool empty = !z->at;

	if (!r->has_dst && !empty)
		return;
	z->at = xrealloc(z->at, most, sizeof *z->at);
	z->east = xrealloc(z->east, most, sizeof *z->east);
	tzrule_year(r, year, &start, &end);
	if (empty)
		z->east[0] = start < end ? r->east_s : r->dst_east_s;
	if (!r->has_dst) {
		z->east[0] = r->east_s;
		return;
	}
	for (; year <= YEAR_LAST; year++) {
		tzrule_year(r, year, &start, &end);
		if (start < end)
			add_change(z, start, r->dst_east_s);
		add_change(z, end, r->east_s);
		if (start > end)
			add_change(z, start, r->dst_east_s);
	}
}

/* The rule after the table: "\nCET-1CEST,M3.5.0,M10.5.0/3\n". */
static void
add_footer(struct zone *z, const char *p, size_t len)
{
	const char *end = len > 1 && *p == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;
	_cleanup_free_ char *text = end ? xstrndup(p + 1, (size_t)(end - p) - 1) : NULL;
	struct tzrule r;

	if (text && tzrule_parse(text, &r) == 0)
		add_rule(z, &r);
}

/* Abbreviation number WHICH of the types is in use; CHARS are those of all, COUNT bytes. */
static void
add_name(struct zone *z, const unsigned char *type, const unsigned char *chars, int64_t count)
{
	const char *name = (const char *)chars + type[5];
	size_t len = type[5] < count ? strnlen(name, (size_t)count - type[5]) : 0;

	if (len < 2 || len >= ZONE_NAME_MAX)
		return;
	for (size_t i = 0; i < z->n_names; i++)
		if (strncmp(z->names[i].name, name, len + 1) == 0)
			return;
	z->names = xrealloc(z->names, z->n_names + 1, sizeof *z->names);
	memcpy(z->names[z->n_names].name, name, len);
	z->names[z->n_names].name[len] = '\0';
	z->names[z->n_names++].east = (int32_t)big_endian(type, 4);
}

static int
parse_tzif(const unsigned char *p, size_t len, struct zone *z)
{
	int64_t count[6];
	size_t first = len >= 88 && memcmp(p, "TZif", 4) == 0 ? body_size(p, 4, count) : 0, size;
	const unsigned char *types, *kinds;

	if (first == 0 || first > len - 44 || p[4] < '2')
		return -EINVAL;
	p += first;
	len -= first;
	size = body_size(p, 8, count);
	if (size == 0 || size > len || count[4] < 1)
		return -EINVAL;
	z->n = (size_t)count[3];
	z->at = xcalloc(z->n + 1, sizeof *z->at);
	z->east = xcalloc(z->n + 1, sizeof *z->east);
	types = p + 44 + 8 * z->n;
	kinds = types + z->n;
	z->east[0] = (int32_t)big_endian(kinds, 4);
	for (size_t i = 0; i < z->n; i++) {
		if (types[i] >= count[4])
			return -EINVAL;
		z->at[i] = big_endian(p + 44 + 8 * i, 8);
		z->east[i + 1] = (int32_t)big_endian(kinds + 6 * types[i], 4);
	}
	for (size_t i = z->n; i > 0; i--)
		add_name(z, kinds + 6 * types[i - 1], kinds + 6 * count[4], count[5]);
	add_footer(z, (const char *)p + size, len - size);
	return 0;
}

static int
load_named(const char *name, struct zone *z)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;

	if (*name == ':')
		name++;
	if (strstr(name, ".."))
		return -EINVAL;
	path = *name == '/' ? xstrdup(name) : xasprintf("/usr/share/zoneinfo/%s", name);
	if (file_load(path, 0, FILE_DATA_MAX, &b, &f) < 0)
		return -ENOENT;
	return parse_tzif((const unsigned char *)b.s, b.len, z);
}

static int
load_local(struct zone *z)
{
	const char *tz = getenv("TZ");
	struct tzrule r;

	if (tz && *tz && load_named(tz, z) == 0)
		return 0;
	if (tz && tzrule_parse(tz, &r) == 0)
		add_rule(z, &r);
	else if ((tz && *tz) || load_named("/etc/localtime", z) < 0)
		*z = (struct zone){ 0 };	/* UTC */
	return 0;
}

int
zone_open(const char *text, struct zone **out)
{
	struct zone *z = xcalloc(1, sizeof *z);
	size_t len = strlen(text);
	int64_t east;
	int r = 0;

	if (strcmp(text, "local") == 0)
		r = load_local(z);
	else if (len == 0 || zone_parse_offset(text, len, &east) != len)
		r = load_named(text, z);
	if (r == 0 && !z->east) {
		z->east = xcalloc(1, sizeof *z->east);
		if (zone_parse_offset(text, len, &east) == len)
			z->east[0] = (int32_t)east;
	}
	if (r < 0) {
		zone_free(z);
		return r;
	}
	*out = z;
	return 0;
}

void
zone_free(struct zone *z)
{
	if (z) {
		free(z->names);
		free(z->at);
		free(z->east);
		free(z);
	}
}

bool
zone_is_fixed(const struct zone *z)
{
	return z->n == 0;
}

/* How many changes were made up to UTC. */
static size_t
changes_before(const struct zone *z, int64_t utc)
{
	size_t lo = 0, hi = z->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (z->at[mid] <= utc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int64_t
zone_to_utc(const struct zone *z, int64_t local, int64_t after)
{
	int64_t found = 0;
	size_t i, last;
	bool any = false;

	if (z->n == 0)
		return local - z->east[0];
	/* No offset is beyond 26 hours, so only the changes of these days can matter. */
	i = changes_before(z, local - 93600);
	last = changes_before(z, local + 93600);
	for (; i <= last; i++) {
		int64_t utc = local - z->east[i];

		if (changes_before(z, utc) != i)
			continue;
		if (utc >= after || !any)
			found = utc;
		any = true;
		if (utc >= after)
			break;
	}
	return any ? found : local - z->east[changes_before(z, local - 93600)];
}

int64_t
zone_from_utc(const struct zone *z, int64_t s)
{
	return s + z->east[changes_before(z, s)];
}

bool
zone_is_steady(const struct zone *z, int64_t s)
{
	return z->n == 0 || changes_before(z, s - 93600) == changes_before(z, s + 93600);
}

/* The usual abbreviations; of those that several zones use, the one that is most frequent in logs. */
static const struct {
	char name[ZONE_NAME_MAX];
	int16_t east_min;
	bool several;
} usual[] = {
	{ "WET", 0, false }, { "WEST", 60, false }, { "CET", 60, false }, { "CEST", 120, false }, { "MET", 60, false },
	{ "MEST", 120, false }, { "EET", 120, false }, { "EEST", 180, false }, { "MSK", 180, false },
	{ "EST", -300, false }, { "EDT", -240, false }, { "CDT", -300, true }, { "CST", -360, true }, { "MDT", -360, false },
	{ "MST", -420, true }, { "PDT", -420, false }, { "PST", -480, true }, { "AKDT", -480, false }, { "AKST", -540, false },
	{ "HST", -600, false }, { "BST", 60, true }, { "IST", 330, true }, { "JST", 540, false }, { "KST", 540, false },
	{ "HKT", 480, false }, { "SGT", 480, false }, { "PKT", 300, false }, { "NPT", 345, false }, { "BRT", -180, false },
	{ "ART", -180, false }, { "CLT", -240, false }, { "SAST", 120, false }, { "CAT", 120, false }, { "EAT", 180, false },
	{ "WAT", 60, false }, { "GST", 240, true }, { "AWST", 480, false }, { "ACST", 570, false }, { "ACDT", 630, false },
	{ "AEST", 600, false }, { "AEDT", 660, false }, { "NZST", 720, false }, { "NZDT", 780, false }, { "NDT", -150, false },
	{ "NST", -210, false }, { "ADT", -180, false }, { "AST", -240, true },
};

size_t
zone_parse_name(const struct zone *z, const char *p, size_t n, int64_t *east_s, bool *unsure)
{
	size_t len = 0;

	while (len < n && len < ZONE_NAME_MAX && p[len] >= 'A' && p[len] <= 'Z')
		len++;
	if (len < 3 || len >= ZONE_NAME_MAX || (p[len - 1] != 'T' && memcmp(p, "MSK", 3) != 0) ||
	    (len < n && (p[len] == '_' || is_digit(p[len]) || (p[len] >= 'a' && p[len] <= 'z'))))
		return 0;
	for (size_t i = 0; i < z->n_names; i++)
		if (strlen(z->names[i].name) == len && memcmp(z->names[i].name, p, len) == 0) {
			*east_s = z->names[i].east;
			return len;
		}
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (strlen(usual[i].name) == len && memcmp(usual[i].name, p, len) == 0) {
			*east_s = usual[i].east_min * 60;
			*unsure |= usual[i].several;
			return len;
		}
	return 0;
}
