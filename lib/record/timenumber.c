#include <string.h>

#include "record/timenumber.h"

#define NS	INT64_C(1000000000)

/* Times beyond the years 1678 to 2262 do not fit into nanoseconds. */
#define MAX_S	(INT64_MAX / NS - 86400)

/* Seconds, with a fraction or not, as 1.7000000001234e+09, or 13, 16 or 19 digits. */
bool
timenumber_parse_epoch(struct text *t, const struct zone *zone, struct moment *m)
{
	static const int64_t per_s[] = { [10] = 1, [13] = 1000, [16] = 1000000, [19] = NS };
	unsigned digits = text_digits(t, 20);
	int64_t v = 0;

	(void)zone;
	m->absolute = true;
	if (digits == 1 && text_peek_at(t, 1) == '.') {
		unsigned after = text_digits(&(struct text){ t->p, t->n, t->at + 2 }, 30);
		size_t e = t->at + 2 + after;

		if (after < 9 || e + 4 > t->n || (t->p[e] & (char)0xdf) != 'E' || t->p[e + 1] != '+' ||
		    memcmp(t->p + e + 2, "09", 2) != 0)
			return false;
		v = t->p[t->at] - '0';
		for (unsigned i = 0; i < 9; i++)
			v = v * 10 + (t->p[t->at + 2 + i] - '0');
		m->s = v;
		m->res = NS;
		for (unsigned i = 9; i < after && i < 18; i++) {
			m->res /= 10;
			m->frac_ns += (t->p[t->at + 2 + i] - '0') * m->res;
		}
		t->at = e + 4;
		return m->s <= MAX_S;
	}
	if (digits > 19 || (digits != 10 && digits != 13 && digits != 16 && digits != 19) ||
	    (digits == 19 && text_peek(t) == '9'))		/* nanoseconds after 2255 do not fit */
		return false;
	text_fixed(t, digits, &v);
	m->s = v / per_s[digits];
	m->frac_ns = v % per_s[digits] * (NS / per_s[digits]);
	m->res = NS / per_s[digits];
	m->frac_at = t->at - (digits - 10);
	m->digits = digits - 10;
	if (digits == 10)
		text_fraction(t, &m->frac_ns, &m->res, &m->frac_at, &m->digits);
	else if (text_peek(t) == '.')		/* milliseconds with a fraction: what is beyond does not matter */
		for (t->at++; text_is_digit(text_peek(t)); t->at++)
			m->frac_at = 0;
	return m->s <= MAX_S;
}

bool
timenumber_parse_audit(struct text *t, const struct zone *zone, struct moment *m)
{
	if (t->at + 6 > t->n || memcmp(t->p + t->at, "audit(", 6) != 0)
		return false;
	t->at += 6;
	return text_digits(t, 11) == 10 && timenumber_parse_epoch(t, zone, m);
}

static bool
read_hex(struct text *t, unsigned digits, uint64_t *out)
{
	if (t->at + digits > t->n)
		return false;
	*out = 0;
	for (unsigned i = 0; i < digits; i++) {
		char c = t->p[t->at + i];
		int d = text_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (d < 0)
			return false;
		*out = *out << 4 | (uint64_t)d;
	}
	t->at += digits;
	return true;
}

/* Labels are TAI; daemontools and s6 count ten seconds from UTC to it, leap seconds aside. */
bool
timenumber_parse_tai64n(struct text *t, const struct zone *zone, struct moment *m)
{
	uint64_t s, ns;

	(void)zone;
	if (!text_skip(t, '@') || !read_hex(t, 16, &s))
		return false;
	s -= (UINT64_C(1) << 62) + 10;
	if ((int64_t)s > MAX_S || (int64_t)s < -MAX_S)
		return false;
	m->s = (int64_t)s;
	m->absolute = true;
	m->res = NS;
	m->frac_at = 0;
	if (read_hex(t, 8, &ns)) {
		if (ns >= (uint64_t)NS) {
			t->at -= 8;
		} else {
			m->frac_ns = (int64_t)ns;
			m->res = 1;
		}
	}
	return true;
}

bool
timenumber_parse_dmesg(struct text *t, const struct zone *zone, struct moment *m)
{
	unsigned digits;

	(void)zone;
	if (!text_skip(t, '['))
		return false;
	while (text_skip(t, ' '))
		;
	digits = text_digits(t, 13);
	if (digits < 1 || digits > 12 || !text_fixed(t, digits, &m->s))
		return false;
	text_fraction(t, &m->frac_ns, &m->res, &m->frac_at, &m->digits);
	if (m->digits == 0 || !text_skip(t, ']') || m->s > MAX_S)
		return false;
	m->lacks = LACKS_BOOT;
	m->absolute = true;
	m->frac_at = 0;			/* the boot's fraction is added */
	return true;
}
