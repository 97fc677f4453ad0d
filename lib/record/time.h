/*
 * time - the time stamp of a line.
 *
 * A source has a set of kinds (record/timekind.h), so a file whose stamps change
 * their kind needs no state.  What may stand before a stamp is in
 * record/prefix.h; a year or a day that is missing comes from the order of the
 * file, as record/calendar.h says.
 *
 * A time is in nanoseconds since 1970, UTC; its resolution is its last digit.
 */
#ifndef RECORD_TIME_H
#define RECORD_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "record/calendar.h"
#include "record/timekind.h"
#include "record/zone.h"

/* A set of kinds.  TIME_ANY is in it where a sample is to choose. */
#define TIME_SET(kind)	(UINT32_C(1) << (kind))

/* Kinds that nothing else looks like; a line of text that begins with a number is not taken for one. */
#define TIME_STRONG \
	(TIME_SET(TIME_RFC3339) | TIME_SET(TIME_SYSLOG) | TIME_SET(TIME_KLOG) | TIME_SET(TIME_CLF) | \
	 TIME_SET(TIME_TAI64N) | TIME_SET(TIME_DMESG) | TIME_SET(TIME_CTIME) | TIME_SET(TIME_MDY) | \
	 TIME_SET(TIME_DMY) | TIME_SET(TIME_YMD) | TIME_SET(TIME_LOGCAT) | TIME_SET(TIME_AUDIT))
#define TIME_ALL	(TIME_STRONG | TIME_SET(TIME_EPOCH) | TIME_SET(TIME_CLOCK))

struct stamp {
	int64_t ns;
	int64_t res;		/* of its last digit, in ns */
};

enum { TIME_CACHE = 40, TIME_TAIL = 16 };

/* What a source's times need to be understood, and the last one, because the next looks like it. */
struct time_ctx {
	uint32_t kinds;			/* a set; 0: no line has a time */
	unsigned prefixes;		/* of enum in record/prefix.h */
	const struct zone *zone;	/* of times that name none */
	struct calendar calendar, start;	/* START: before the first line, for reading again */
	int64_t boot_ns;		/* when the machine booted, for dmesg */
	bool by_zone;			/* some time named no zone, so the zone mattered */
	bool day_order, zone_unsure, unit_unsure;	/* as in struct moment, of the sample */
	enum time_kind last_kind;
	int64_t last_s;			/* the last time, for the hour that comes twice */
	/* The last text: PREFIX up to the fraction, its digits, TAIL with one byte more than the zone. */
	unsigned prefix_len, digits, tail_len;
	bool zone_may_follow, year_may_follow, half_may_follow;	/* behind the blank that ends TAIL */
	int64_t base_ns, res;
	char prefix[TIME_CACHE], tail[TIME_TAIL];
};

/* Zero *C and set it up; ZONE is borrowed; no first time without a year or a day is after LIMIT_S. */
void time_init(struct time_ctx *c, uint32_t kinds, const struct zone *zone, int64_t limit_s);

/* Choose kinds and prefixes by the N bytes of TEXT with which a log begins; false where no line has a time. */
bool time_detect(struct time_ctx *c, const char *text, size_t n);

/* Forget what was read: the source is read again from where C->start was taken. */
void time_restart(struct time_ctx *c);

/* A list of kinds as "syslog rfc3339", or -EINVAL. */
int time_parse_kinds(const char *list, uint32_t *out);

/* The time that the N bytes of P begin with; returns the bytes it takes with what stands before it, 0 where there is none. */
size_t time_parse(struct time_ctx *c, const char *p, size_t n, struct stamp *out);

/*
 * The time in the N bytes of P, the value of a field: also an object with the
 * member "$date", or with "seconds" or "epochSecond" and "nanos" or "nanoOfSecond".
 */
bool time_parse_value(struct time_ctx *c, const char *p, size_t n, struct stamp *out);

/* Whole text: for --since and --until. */
int time_parse_text(const char *text, const struct zone *zone, int64_t now_s, int64_t *ns);

static inline int64_t
time_digits(const char *p, unsigned n)
{
	int64_t v = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned d = (unsigned)(unsigned char)p[i] - '0';

		if (d > 9)
			return -1;
		v = v * 10 + d;
	}
	return v;
}

/* Six digits at once (8 bytes are read), -1 where they are none. */
static inline int64_t
time_six(const char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	v = v << 16 | 0x3030;			/* "00" before the six */
	if (((v + 0x4646464646464646) | (v - 0x3030303030303030)) & 0x8080808080808080)
		return -1;
	v = (v & 0x0f0f0f0f0f0f0f0f) * 2561 >> 8;
	v = (v & 0x00ff00ff00ff00ff) * 6553601 >> 16;
	return (int64_t)((v & 0x0000ffff0000ffff) * 42949672960001 >> 32);
}

/* As time_parse() where the text looks like the last one but for the fraction; P has 64 bytes to read. */
static inline bool
time_again(const struct time_ctx *c, const char *p, int64_t *ns)
{
	int64_t f = 0;

	/* Tell fixed sizes to the compiler: the usual ones are 20 (RFC 3339) and 15 (syslog). */
	if (c->prefix_len == 20) {
		uint64_t a[2], b[2];
		uint32_t x, y;

		memcpy(a, p, 16);
		memcpy(b, c->prefix, 16);
		memcpy(&x, p + 16, 4);
		memcpy(&y, c->prefix + 16, 4);
		if (((a[0] ^ b[0]) | (a[1] ^ b[1]) | (x ^ y)) != 0)
			return false;
	} else if (c->prefix_len == 0 || memcmp(p, c->prefix, c->prefix_len) != 0) {
		return false;
	}
	p += c->prefix_len;
	if (c->digits == 6)
		f = time_six(p) * 1000;
	else if (c->digits)
		f = time_digits(p, c->digits) * c->res;
	if (f < 0)
		return false;
	p += c->digits;
	if (c->tail_len == 7) {
		uint32_t x, y, v, w;

		memcpy(&x, p, 4);
		memcpy(&y, c->tail, 4);
		memcpy(&v, p + 3, 4);
		memcpy(&w, c->tail + 3, 4);
		if (((x ^ y) | (v ^ w)) != 0)
			return false;
	} else if (memcmp(p, c->tail, c->tail_len) != 0) {
		return false;
	}
	if (c->zone_may_follow && zone_may_begin(p + c->tail_len))
		return false;
	if (c->year_may_follow && zone_or_year_may_begin(p + c->tail_len))
		return false;
	if (c->half_may_follow && zone_half_may_begin(p + c->tail_len))
		return false;
	*ns = c->base_ns + f;
	return true;
}

#endif
