#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "log/literal.h"

#ifdef __SSE2__
/* Where of the sixteen places from P the first, the second and the last of the M bytes fit, by bits. */
static inline unsigned
fitting(const char *p, size_t m, const __m128i want[3])
{
	__m128i a = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)p), want[0]);
	__m128i b = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + m / 2)), want[1]);
	__m128i c = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + m - 1)), want[2]);

	return (unsigned)_mm_movemask_epi8(_mm_and_si128(_mm_and_si128(a, b), c));
}

/* The first of the places FITS that really has it; up to three bytes, all have been compared. */
static inline const char *
first_of(unsigned fits, const char *p, const char *what, size_t m)
{
	for (; fits; fits &= fits - 1) {
		const char *q = p + __builtin_ctz(fits);

		if (m <= 3 || memcmp(q, what, m) == 0)
			return q;
	}
	return NULL;
}
#endif

const char *
literal_find(const char *p, size_t n, const char *what, size_t m)
{
#ifdef __SSE2__
	/* Sixteen places at once; the last sixteen may be ones of which some were looked at before. */
	if (n >= m + 15) {
		const __m128i want[3] = { _mm_set1_epi8(what[0]), _mm_set1_epi8(what[m / 2]), _mm_set1_epi8(what[m - 1]) };
		const char *last = p + n - m - 15, *hit;

		for (; p < last; p += 16)
			if ((hit = first_of(fitting(p, m, want), p, what, m)))
				return hit;
		return first_of(fitting(last, m, want), last, what, m);
	}
#endif
	return n < m ? NULL : memmem(p, n, what, m);
}
