#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "record/prefilter.h"

#ifdef __SSE2__
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

/* Where of the places from P the first, the middle and the last of the M bytes fit, by bits. */
static inline unsigned
fitting_16(const char *p, size_t m, const __m128i want[3])
{
	__m128i a = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)p), want[0]);
	__m128i b = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + m / 2)), want[1]);
	__m128i c = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + m - 1)), want[2]);

	return (unsigned)_mm_movemask_epi8(_mm_and_si128(_mm_and_si128(a, b), c));
}

/* N >= M + 15.  The last places may be ones of which some were looked at before. */
static const char *
find_by_16(const char *p, size_t n, const char *what, size_t m)
{
	const __m128i want[3] = { _mm_set1_epi8(what[0]), _mm_set1_epi8(what[m / 2]), _mm_set1_epi8(what[m - 1]) };
	const char *last = p + n - m - 15, *hit;

	for (; p < last; p += 16)
		if ((hit = first_of(fitting_16(p, m, want), p, what, m)))
			return hit;
	return first_of(fitting_16(last, m, want), last, what, m);
}

__attribute__((target("avx2"))) static inline unsigned
fitting_32(const char *p, size_t m, const __m256i *want)
{
	__m256i a = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)p), want[0]);
	__m256i b = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(p + m / 2)), want[1]);
	__m256i c = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(p + m - 1)), want[2]);

	return (unsigned)_mm256_movemask_epi8(_mm256_and_si256(_mm256_and_si256(a, b), c));
}

/* The same, N >= M + 31. */
__attribute__((target("avx2"))) static const char *
find_by_32(const char *p, size_t n, const char *what, size_t m)
{
	const __m256i want[3] = { _mm256_set1_epi8(what[0]), _mm256_set1_epi8(what[m / 2]),
	    _mm256_set1_epi8(what[m - 1]) };
	const char *last = p + n - m - 31, *hit;

	for (; p < last; p += 32)
		if ((hit = first_of(fitting_32(p, m, want), p, what, m)))
			return hit;
	return first_of(fitting_32(last, m, want), last, what, m);
}
#endif

const char *
prefilter_find(const char *p, size_t n, const char *what, size_t m)
{
#ifdef __SSE2__
	if (n >= m + 31 && __builtin_cpu_supports("avx2"))
		return find_by_32(p, n, what, m);
	if (n >= m + 15)
		return find_by_16(p, n, what, m);
#endif
	return n < m ? NULL : memmem(p, n, what, m);
}
