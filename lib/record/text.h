/*
 * text - read a piece of text from its front, byte by byte and number by number.
 *
 * Nothing is read beyond the N bytes: at the end the next byte is 0.
 */
#ifndef RECORD_TEXT_H
#define RECORD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text that is read from the front: AT bytes of N are behind. */
struct text {
	const char *p;
	size_t n, at;
};

static inline bool
text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
text_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The next byte, 0 at the end. */
static inline char
text_peek(const struct text *t)
{
	return t->at < t->n ? t->p[t->at] : '\0';
}

static inline char
text_peek_at(const struct text *t, size_t more)
{
	return t->at + more < t->n ? t->p[t->at + more] : '\0';
}

static inline bool
text_skip(struct text *t, char c)
{
	if (text_peek(t) != c || t->at >= t->n)
		return false;
	t->at++;
	return true;
}

static inline unsigned
text_digits(const struct text *t, unsigned most)
{
	unsigned n = 0;

	while (n < most && text_is_digit(text_peek_at(t, n)))
		n++;
	return n;
}

/* A number of LO to HI digits, with no digit behind it. */
static inline bool
text_number(struct text *t, unsigned lo, unsigned hi, int64_t *out)
{
	unsigned n = text_digits(t, hi + 1);

	if (n < lo || n > hi)
		return false;
	*out = 0;
	for (unsigned i = 0; i < n; i++)
		*out = *out * 10 + (t->p[t->at++] - '0');
	return true;
}

/* Exactly DIGITS digits; more may follow. */
static inline bool
text_fixed(struct text *t, unsigned digits, int64_t *out)
{
	if (text_digits(t, digits) < digits)
		return false;
	*out = 0;
	for (unsigned i = 0; i < digits; i++)
		*out = *out * 10 + (t->p[t->at++] - '0');
	return true;
}

/*
 * Digits after "." or "," or ":": *NS nanoseconds, resolution *RES, *DIGITS digits
 * that count (those beyond the ninth do not) from *AT on.  ":" needs three digits
 * at least: seconds do not go on so.  Without a fraction *AT is where it would be.
 */
static inline void
text_fraction(struct text *t, int64_t *ns, int64_t *res, size_t *at, unsigned *digits)
{
	const char c = text_peek(t);
	int64_t unit = 1000000000;

	*at = t->at;
	*res = unit;
	if (!text_is_digit(text_peek_at(t, 1)) || (c != '.' && c != ',' && c != ':'))
		return;
	if (c == ':') {
		unsigned n = text_digits(&(struct text){ t->p, t->n, t->at + 1 }, 10);

		if (n < 3 || n > 9)
			return;
	}
	t->at++;
	*at = t->at;
	for (; text_is_digit(text_peek(t)); t->at++) {
		if (*digits == 9)
			continue;
		++*digits;
		unit /= 10;
		*ns += (t->p[t->at] - '0') * unit;
	}
	*res = unit;
}

#endif
