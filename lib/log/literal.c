#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "log/literal.h"

const char *
literal_find(const char *p, size_t n, const char *what, size_t m)
{
#ifdef __SSE2__
	const char *end = p + n;
	__m128i first, last;

	if (m > n)
		return NULL;
	/* Sixteen places at once where the first and the last byte fit; what is left goes the usual way. */
	first = _mm_set1_epi8(what[0]);
	last = _mm_set1_epi8(what[m - 1]);
	for (; (size_t)(end - p) >= m + 15; p += 16) {
		__m128i a = _mm_loadu_si128((const __m128i *)p);
		__m128i b = _mm_loadu_si128((const __m128i *)(p + m - 1));
		unsigned fits = (unsigned)_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(a, first),
		    _mm_cmpeq_epi8(b, last)));

		for (; fits; fits &= fits - 1) {
			const char *q = p + __builtin_ctz(fits);

			if (memcmp(q, what, m) == 0)
				return q;
		}
	}
	/* The last places: sixteen that end with the text, of which some were looked at before. */
	if (n >= m + 15 && (size_t)(end - p) >= m) {
		const char *q = end - m - 15;
		__m128i a = _mm_loadu_si128((const __m128i *)q);
		__m128i b = _mm_loadu_si128((const __m128i *)(q + m - 1));
		unsigned fits = (unsigned)_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(a, first),
		    _mm_cmpeq_epi8(b, last)));

		for (; fits; fits &= fits - 1)
			if (memcmp(q + __builtin_ctz(fits), what, m) == 0)
				return q + __builtin_ctz(fits);
		return NULL;
	}
	n = (size_t)(end - p);
	if (n < m)
		return NULL;
#endif
	return memmem(p, n, what, m);
}
