#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "supervise/segment.h"
#include "task/output.h"

enum { PIECE = 256 << 10 };

static const char *const stream_names[] = { "out", "err" };

/* Bytes of one stream, added to OUT; < 0: the first ones are missing, and *NEXT is where it goes on. */
static ssize_t
read_stream(int dir, int i, int64_t from, size_t max, struct buf *out, int64_t *next)
{
	struct segment_reader reader = SEGMENT_READER_INIT(dir, stream_names[i]);
	size_t sum = 0;
	ssize_t n = 0;

	while (sum < max) {
		size_t piece = max - sum < PIECE ? max - sum : PIECE;

		buf_reserve(out, piece);
		n = segment_read(&reader, from + (int64_t)sum, out->s + out->len, piece, next);
		if (n <= 0)
			break;
		out->len += (size_t)n;
		out->s[out->len] = '\0';
		sum += (size_t)n;
	}
	segment_reader_close(&reader);
	return sum > 0 ? (ssize_t)sum : n;
}

/* Has T written more than what is there: bytes that were lost at the end of stream I? */
static int64_t
end_of(const struct taskrecord *t, int i, int64_t from)
{
	return taskrecord_is_over(t) && t->outcome.bytes[i] > from ? t->outcome.bytes[i] : from;
}

/* The end of what T has written to stream I. */
static int64_t
written_end(const struct taskrecord *t, int dir, int i)
{
	int64_t first, end = 0;

	if (segment_bounds(dir, stream_names[i], &first, &end) < 0)
		end = 0;
	return end_of(t, i, end);
}

static enum output_result
read_one(const struct taskrecord *t, int dir, int i, struct output_place *p, size_t max, struct buf *out,
    struct output_gap *gap)
{
	int64_t next = 0;
	bool over = taskrecord_is_over(t);	/* before the read: nothing comes after that */
	ssize_t n = read_stream(dir, i, p->at[i], max, out, &next);

	if (n > 0) {
		p->at[i] += n;
		return OUTPUT_SOME;
	}
	if (n == 0 && p->at[i] > written_end(t, dir, i)) {
		*gap = (struct output_gap){ i, written_end(t, dir, i) };
		return OUTPUT_BEYOND;
	}
	if (n == 0 && over)
		next = end_of(t, i, p->at[i]);
	if (next > p->at[i]) {
		*gap = (struct output_gap){ i, next };
		return OUTPUT_GAP;
	}
	return over ? OUTPUT_END : OUTPUT_NONE;
}

/* The same with a frame's head before the bytes. */
static enum output_result
read_frame(const struct taskrecord *t, int dir, int i, struct output_place *p, const char *prefix, size_t max,
    struct buf *out, struct output_gap *gap)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT;
	const int64_t from = p->at[i];
	enum output_result r = read_one(t, dir, i, p, max, &bytes, gap);

	if (r == OUTPUT_SOME) {
		buf_printf(out, "%s%s %jd %zu\n", prefix, stream_names[i], (intmax_t)from, bytes.len);
		buf_add(out, bytes.s, bytes.len);
	}
	return r;
}

enum output_result
output_read(const struct taskrecord *t, int i, struct output_place *p, const char *prefix, size_t max,
    struct buf *out, struct output_gap *gap)
{
	_cleanup_fd_ int dir = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum output_result a, b;
	struct output_gap other;

	if (dir < 0)
		return taskrecord_is_over(t) ? OUTPUT_END : OUTPUT_NONE;
	if (i >= 0)
		return read_one(t, dir, i, p, max, out, gap);
	a = read_frame(t, dir, 0, p, prefix, max / 2, out, gap);
	b = read_frame(t, dir, 1, p, prefix, max / 2, out, &other);
	if (a == OUTPUT_SOME || b == OUTPUT_SOME)
		return OUTPUT_SOME;
	for (int k = OUTPUT_GAP; k <= OUTPUT_BEYOND; k++) {
		if (b == (enum output_result)k && a != b)
			*gap = other;
		if (a == (enum output_result)k || b == (enum output_result)k)
			return (enum output_result)k;
	}
	return a == OUTPUT_END && b == OUTPUT_END ? OUTPUT_END : OUTPUT_NONE;
}
