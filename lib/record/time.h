/*
 * time - timestamps of logs, by hand-written parsers: they are the hot path.
 *
 *	rfc3339	2026-11-21T20:16:00.123456Z and its cousins: a space or a slash
 *		for T and -, "," before the fraction, a month by name, the zones of
 *		record/zone.h or none (then the source's)
 *	syslog	Nov 21 20:16:00 (RFC 3164); the year is guessed
 *	epoch	1700000000, with a fraction, or of 13, 16, 19 digits: ms, us, ns
 *	klog	I1121 20:16:00.123456
 *	clf	21/Nov/2026:20:16:00 +0000
 *	tai64n	@4000000037c219bf2ef02e94, and tai64 without the nanoseconds
 *	dmesg	[   12.345678], seconds since the boot of this machine
 *	clock	20:16:00.123, the day is that of the reference time
 *
 * A time is in nanoseconds since 1970, UTC; its resolution is its last digit.
 */
#ifndef RECORD_TIME_H
#define RECORD_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "record/zone.h"

enum time_kind {
	TIME_ANY,		/* whichever of those below fits; the ones after TIME_DMESG not */
	TIME_RFC3339, TIME_SYSLOG, TIME_EPOCH, TIME_KLOG, TIME_CLF, TIME_TAI64N, TIME_DMESG,
	TIME_CLOCK,
	TIME_NONE,
};

struct stamp {
	int64_t ns;
	int64_t res;		/* of its last digit, in ns */
};

enum { TIME_CACHE = 32, TIME_TAIL = 16 };

/* What a source's times need to be understood, and the last one, because the next looks like it. */
struct time_ctx {
	enum time_kind kind;
	const struct zone *zone;	/* of times that name none */
	int64_t ref_s;			/* UTC seconds that no time is far beyond, for the year and the day */
	int64_t boot_ns;		/* when the machine booted, for dmesg */
	bool by_zone;			/* some time named no zone, so the zone mattered */
	int64_t last_s;			/* the last time, for the hour that comes twice */
	/* The last text: PREFIX up to the fraction, its digits, TAIL with one byte more than the zone. */
	unsigned prefix_len, digits, tail_len;
	bool zone_may_follow;		/* behind the blank that ends TAIL */
	int64_t base_ns, res;
	char prefix[TIME_CACHE], tail[TIME_TAIL];
};

/* Zero *C and set it up; ZONE is borrowed. */
void time_init(struct time_ctx *c, enum time_kind kind, const struct zone *zone, int64_t ref_s);

/* The kind called NAME, or -EINVAL. */
int time_kind_parse(const char *name);

/* The time that the N bytes of P begin with; returns the bytes it takes, 0 where there is none. */
size_t time_parse(struct time_ctx *c, const char *p, size_t n, struct stamp *out);

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

/* May a zone begin with C? */
static inline bool
time_may_be_zone(char c)
{
	return c == '+' || c == '-' || c == 'U' || c == 'G' || c == 'Z' || c == 'z';
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
	if (c->zone_may_follow && time_may_be_zone(p[c->tail_len]))
		return false;
	*ns = c->base_ns + f;
	return true;
}

#endif
