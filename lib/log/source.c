#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "log/decode.h"
#include "log/source.h"

enum {
	LOOK = 256,		/* bytes of a line that its time is looked for in, at the start */
	LOOK_FAR = 65536,	/* and elsewhere in the line */
	SAMPLE = 65536,		/* the first bytes, at most, from which the format is told */
	SLACK = 64,		/* after the buffer, so that time_again() may look ahead */
};

static void
drop_fd(struct source *s)
{
	io_closep(&s->fd);
	s->fd = -1;
}

/* Bytes at OFF of a file that is opened for this read alone. */
static ssize_t
read_closed(const struct source *s, char *p, size_t n, int64_t off)
{
	_cleanup_fd_ int fd = open(s->location, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t r;

	if (fd < 0)
		return -errno;
	do
		r = pread(fd, p, n, off);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static ssize_t
read_at(const struct source *s, char *p, size_t n, int64_t off)
{
	ssize_t r;

	if (!s->seekable) {
		struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

		if (s->idle && poll(&pfd, 1, 0) == 0)
			s->idle(s->cookie);
		return io_read(s->fd, p, n);
	}
	if (s->fd < 0)
		return read_closed(s, p, n, off);
	do
		r = pread(s->fd, p, n, off);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/* Room for more: what is not needed goes, then the buffer grows. */
static void
make_room(struct source *s)
{
	size_t held = s->hi - s->lo;

	if (s->lo && (held <= s->cap / 2 || s->hi == s->cap)) {
		memmove(s->buf, s->buf + s->lo, held);
		s->base += (int64_t)s->lo;
		s->cur -= s->lo;
		s->hi = held;
		s->lo = 0;
	}
	if (s->cap - s->hi < s->cap / 4) {
		s->cap *= 2;
		s->buf = xrealloc(s->buf, s->cap + SLACK, 1);
	}
}

/* More bytes behind HI; false at the end. */
static bool
fill(struct source *s)
{
	size_t n;
	ssize_t r;

	if (s->eof)
		return false;
	make_room(s);
	n = s->cap - s->hi;
	if ((int64_t)n > s->end - s->at)
		n = (size_t)(s->end - s->at);
	r = n ? read_at(s, s->buf + s->hi, n, s->at) : 0;
	if (r <= 0) {
		s->eof = true;
		s->error = r < 0 ? (int)-r : 0;
		return false;
	}
	s->hi += (size_t)r;
	s->at += r;
	return true;
}

static const char *
find(const char *p, size_t n, const char *what)
{
	return memmem(p, n, what, strlen(what));
}

/* The time of the N bytes of P that begin a line, of which LINE are its own. */
static bool
time_of_line(struct source *s, const char *p, size_t n, size_t line, struct stamp *out)
{
	const struct format *fmt = s->fmt;
	struct fields fields;
	const char *q;

	switch (fmt->where) {
	case WHERE_START:
		return time_parse(&s->time, p, n, out) > 0;
	case WHERE_AFTER:
		q = find(p, line, fmt->after);
		if (!q)
			return false;
		q += strlen(fmt->after);
		return time_parse(&s->time, q, n - (size_t)(q - p), out) > 0;
	default:
		return format_fields(fmt, p, line, &fields) && fields.v[FIELD_TIME].p &&
		    time_parse(&s->time, fields.v[FIELD_TIME].p, fields.v[FIELD_TIME].n, out) > 0;
	}
}

/* Does the line that begins N bytes behind CUR begin a record?  Its time is then NEXT. */
static bool
begins_record(struct source *s, size_t n, struct stamp *next)
{
	size_t look = s->fmt->where == WHERE_START ? LOOK : LOOK_FAR, have, line;
	const char *p, *nl;

	do {
		p = s->buf + s->cur + n;
		have = s->hi - s->cur - n;
		nl = memchr(p, '\n', have < look ? have : look);
	} while (!nl && have < look && fill(s));
	line = nl ? (size_t)(nl - p) : have < look ? have : look;
	if (s->fmt->where == WHERE_START && have > look)
		have = look;
	if (n == 0 && s->base + (int64_t)s->cur == 0 && have > 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		return time_of_line(s, p + 3, have - 3, line - 3, next);
	return have > 0 && time_of_line(s, p, have, line, next);
}

/*
 * How a record ends, and how long it is.  N bytes of it are known to hold no
 * end.  false: it is not at its end, but long enough for a piece.
 */
static bool
end_of_line(struct source *s, size_t n, size_t *len)
{
	for (;;) {
		size_t have = s->hi - s->cur;
		const char *p = s->buf + s->cur, *nl = memchr(p + n, '\n', have - n);

		*len = nl ? (size_t)(nl + 1 - p) : have;
		if (nl)
			return true;
		if (have >= RECORD_MAX)
			return false;
		n = have;
		if (!fill(s))
			return true;
	}
}

/* If the line of LEN bytes begins a block, *LEN becomes the block's. */
static void
whole_block(struct source *s, size_t *len)
{
	const struct format *fmt = s->fmt;
	const char *p = s->buf + s->cur, *begin = find(p, *len, fmt->begin), *hit;
	_cleanup_free_ char *end = NULL;
	size_t n = *len;

	if (!begin)
		return;
	/* The end has the same text before it as the beginning; a body may well quote the marker alone. */
	end = xasprintf("%.*s%s", (int)(begin - p), p, fmt->end);
	for (;;) {
		p = s->buf + s->cur;
		hit = find(p + n, s->hi - s->cur - n, end);
		if (hit)
			break;
		n = s->hi - s->cur > strlen(end) + *len ? s->hi - s->cur - strlen(end) : *len;
		if (s->hi - s->cur >= RECORD_MAX || !fill(s))
			return;		/* torn: its lines are taken as they come */
	}
	end_of_line(s, (size_t)(hit - p) + strlen(end), len);
}

static bool
end_of_timed(struct source *s, size_t n, size_t *len)
{
	if (s->fmt->begin && n == 0 && !s->in_rest) {
		if (!end_of_line(s, 0, len))
			return false;
		whole_block(s, len);
		n = *len - 1;
	}
	for (;;) {
		if (!end_of_line(s, n, len))
			return false;
		n = *len;
		s->has_next = begins_record(s, n, &s->next);
		if (s->has_next || s->hi - s->cur == n)
			return true;
		if (n >= RECORD_MAX)
			return false;
	}
}

static bool
end_of_lines(struct source *s, size_t *len)
{
	*len = 0;
	for (unsigned i = 0; i < s->fmt->lines && (i == 0 || *len < s->hi - s->cur || fill(s)); i++)
		if (!end_of_line(s, *len, len))
			return false;
	return true;
}

/* A journal entry: fields, of which some are binary, and an empty line. */
static bool
end_of_export(struct source *s, size_t *len)
{
	size_t i = 0;

	for (;;) {
		const char *p = s->buf + s->cur;
		size_t have = s->hi - s->cur;
		const char *nl = memchr(p + i, '\n', have - i);
		uint64_t size = 0;
		size_t line;

		line = nl ? (size_t)(nl - p) - i : 0;
		if (nl && line == 0) {
			*len = i + 1;
			return true;
		}
		if (nl && !memchr(p + i, '=', line)) {
			size_t data = i + line + 1;

			for (int k = 7; have >= data + 8 && k >= 0; k--)
				size = size << 8 | (unsigned char)p[data + (size_t)k];
			if (have >= data + 8 && size < have - data - 8) {
				i = data + 8 + (size_t)size + 1;
				continue;
			}
			if (have >= data + 8 && size > RECORD_MAX) {	/* no entry: a line of its own */
				*len = i + line + 1;
				return true;
			}
		} else if (nl) {
			i += line + 1;
			continue;
		}
		*len = have;
		if (have >= RECORD_MAX)
			return false;
		if (!fill(s))
			return true;
	}
}

/* The rest of a record that is longer than a piece, up to its end. */
static bool
end_of_rest(struct source *s, size_t *len)
{
	return s->cut == CUT_TIMED ? end_of_timed(s, 0, len) : end_of_line(s, 0, len);
}

static bool
cut_record(struct source *s, size_t *len)
{
	switch (s->cut) {
	case CUT_TIMED:
		return end_of_timed(s, 0, len);
	case CUT_LINES:
		return end_of_lines(s, len);
	case CUT_EXPORT:
		return end_of_export(s, len);
	default:
		return end_of_line(s, 0, len);
	}
}

int
source_next_slow(struct source *s, struct record *r)
{
	struct stamp t = s->next;
	bool known = s->has_next, whole;
	size_t len;

	while (s->in_rest) {		/* what nobody asked for */
		const char *p;

		source_rest(s, &p, &len);
	}
	if (!s->hold)
		s->lo = s->cur;
	if (s->cur == s->hi && !fill(s))
		return 0;
	if (!s->started && s->cut == CUT_TIMED)
		known = begins_record(s, 0, &t);
	s->started = true;
	whole = cut_record(s, &len);
	if (s->cut != CUT_TIMED && s->fmt->time != TIME_NONE)
		known = time_of_line(s, s->buf + s->cur, len, len, &t);
	*r = (struct record){ .p = s->buf + s->cur, .n = len, .off = s->base + (int64_t)s->cur, .more = !whole };
	/* Lines before the first time belong to the record after them, by time. */
	if (!known && s->cut == CUT_TIMED && s->has_next && s->last_ns == 0)
		s->last_ns = s->next.ns;
	r->inherited = !known;
	r->t = known ? t.ns : s->last_ns;
	r->res = known ? t.res : 1;
	s->last_ns = r->t;
	r->t -= s->offset_ns;
	s->in_rest = !whole;
	s->fast = s->simple && s->has_next && whole;
	s->cur += len;
	return 1;
}

bool
source_rest(struct source *s, const char **p, size_t *n)
{
	if (!s->in_rest)
		return false;
	if (!s->hold)
		s->lo = s->cur;
	if (s->cur == s->hi && !fill(s)) {
		s->in_rest = false;
		return false;
	}
	/* A newline that ended the last piece is behind us: what comes may be the next record. */
	if (s->cur > 0 && s->buf[s->cur - 1] == '\n' &&
	    (s->cut != CUT_TIMED || (s->has_next = begins_record(s, 0, &s->next)))) {
		s->in_rest = false;
		return false;
	}
	s->in_rest = !end_of_rest(s, n);
	*p = s->buf + s->cur;
	s->cur += *n;
	return true;
}

/* The first bytes are in the buffer, as far as they can be had at once: how many. */
static size_t
sample(struct source *s)
{
	size_t want = s->cap / 2 < SAMPLE ? s->cap / 2 : SAMPLE;

	/* Who writes a pipe may write no more for long; what is there must do. */
	while (s->hi < want && (s->seekable || !memchr(s->buf, '\n', s->hi)) && fill(s))
		;
	return s->hi < want ? s->hi : want;
}

static int
set_format(struct source *s, const struct spec *spec, const struct formats *fs, struct fail *f)
{
	const char *zone = spec->zone;
	int r;

	if (spec->format) {
		s->fmt = format_find(fs, spec->format);
		if (!s->fmt)
			return fail_set(f, EXIT_USAGE, "%s: format '%s' is not known", spec->name, spec->format);
	} else {
		s->fmt = format_detect(fs, s->buf, sample(s));
	}
	if (!zone)
		zone = s->fmt->zone ? s->fmt->zone : "local";
	r = zone_open(zone, &s->zone);
	if (r < 0)
		return fail_set(f, EXIT_USAGE, "%s: time zone '%s' is not known", spec->name, zone);
	if (spec->emitter) {
		s->emitter = regex_new(spec->name, spec->emitter, f);
		if (!s->emitter)
			return -EINVAL;
	}
	return 0;
}

/*
 * Of "any" kind of time the first line's is it, so that a number at the start of
 * a line of text is none later on; without any in the first lines, none has one.
 */
static void
settle_kind(struct source *s)
{
	size_t n = sample(s);
	const char *p = s->buf, *end = p + n;
	struct stamp t;

	if (end - p > 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	for (int i = 0; p < end && i < 1000; i++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		for (int k = TIME_RFC3339; k < TIME_CLOCK; k++) {
			s->time.kind = (enum time_kind)k;
			if (time_parse(&s->time, p, (size_t)((nl ? nl : end) - p), &t) > 0)
				return;
		}
		p = nl ? nl + 1 : end;
	}
	s->time.kind = TIME_NONE;
	s->cut = CUT_LINE;
}

/* Seconds since 1970 when this machine booted. */
static int64_t
boot_time(void)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (int64_t)(now.tv_sec - up.tv_sec) * 1000000000 + now.tv_nsec - up.tv_nsec;
}

static int
open_location(struct source *s, struct stat *st, struct fail *f)
{
	char *const *argv = decode_command(s->location);
	char *journal[] = { (char[]){ "journalctl" }, (char[]){ "-q" }, (char[]){ "--no-pager" }, (char[]){ "-o" },
	    (char[]){ "short-iso-precise" }, (char[]){ "-u" }, s->location + 8, NULL };

	if (strncmp(s->location, "journal:", 8) == 0) {
		argv = journal;
	} else {
		s->fd = strcmp(s->location, "-") == 0 ? io_open("-") : open(s->location, O_RDONLY | O_CLOEXEC);
		if (s->fd < 0)
			return fail_errno(f, s->fd == -1 ? errno : s->fd, "%s", s->location);
		if (fstat(s->fd, st) < 0)
			return fail_errno(f, errno, "%s", s->location);
		if (S_ISDIR(st->st_mode))
			return fail_errno(f, EISDIR, "%s", s->location);
		s->seekable = S_ISREG(st->st_mode) && !argv && strcmp(s->location, "-") != 0;
	}
	if (argv) {
		int fd = decode_start(argv, s->fd, &s->pid);

		drop_fd(s);
		if (fd < 0)
			return fail_errno(f, fd, "%s: cannot run %s", s->location, argv[0]);
		s->fd = fd;
	}
	return 0;
}

int
source_open(const struct spec *spec, const struct formats *fs, size_t buffer, bool keep_open,
    struct source **out, struct fail *f)
{
	struct source *s = xcalloc(1, sizeof *s);
	struct stat st = { .st_mtime = time(NULL) };
	struct fail ignored;
	int r;

	s->name = xstrdup(spec->name);
	s->location = xstrdup(spec->location);
	s->fd = -1;
	s->end = INT64_MAX;
	s->cap = buffer;
	s->buf = xrealloc(NULL, s->cap + SLACK, 1);
	memset(s->buf + s->cap, 0, SLACK);
	r = open_location(s, &st, f);
	if (r == 0 && s->seekable && !keep_open)
		drop_fd(s);
	if (r == 0)
		r = set_format(s, spec, fs, f);
	if (r < 0) {
		source_close(s, &ignored);
		return r;
	}
	s->cut = s->fmt->cut;
	s->fifo = spec->order == ORDER_OF_FORMAT ? s->fmt->fifo : spec->order == ORDER_FIFO;
	time_init(&s->time, s->fmt->time, s->zone, S_ISREG(st.st_mode) ? st.st_mtime : time(NULL));
	s->time.boot_ns = boot_time();
	if (s->fmt->time == TIME_ANY && s->fmt->where == WHERE_START)
		settle_kind(s);
	s->simple = s->cut == CUT_TIMED && s->fmt->where == WHERE_START && !s->fmt->begin;
	*out = s;
	return 0;
}

int
source_close(struct source *s, struct fail *f)
{
	int r = 0, status;

	if (!s)
		return 0;
	if (!s->shared)
		drop_fd(s);
	if (s->pid) {
		status = decode_end(s->pid);
		if (status && !s->error)
			r = fail_set(f, EXIT_TROUBLE, "%s: the command that reads it ended with %d", s->location, status);
	}
	if (!s->shared) {
		zone_free(s->zone);
		regex_free(s->emitter);
		free(s->name);
		free(s->location);
	}
	free(s->buf);
	free(s);
	return r;
}

void
source_rewind(struct source *s)
{
	s->lo = s->cur = s->hi = 0;
	s->base = s->at = 0;
	s->eof = s->fast = s->started = s->has_next = s->in_rest = s->hold = false;
	s->last_ns = 0;
	s->error = 0;
	s->time.last_s = INT64_MIN / 4;
}

void
source_range(struct source *v, int64_t from, int64_t to)
{
	source_rewind(v);
	v->base = v->at = from;
	v->end = to;
}

struct source *
source_view(const struct source *s, int64_t from, int64_t to, size_t buffer)
{
	struct source *v = xcalloc(1, sizeof *v);

	*v = *s;
	v->shared = true;
	v->pid = 0;
	v->cap = buffer;
	v->buf = xrealloc(NULL, v->cap + SLACK, 1);
	memset(v->buf + v->cap, 0, SLACK);
	source_range(v, from, to);
	return v;
}

bool
source_probe(struct source *s, int64_t from, int64_t *off, int64_t *t)
{
	size_t len;

	source_rewind(s);
	/* One byte before, so that a record which begins just at FROM is seen to. */
	s->base = s->at = from ? from - 1 : 0;
	if (from) {
		if (!fill(s))
			return false;
		for (;;) {
			bool whole = end_of_line(s, 0, &len);

			s->cur += len;
			s->lo = s->cur;
			if (whole)
				break;
		}
	}
	for (;;) {
		if (s->cur == s->hi && !fill(s))
			return false;
		if (begins_record(s, 0, &s->next)) {
			*off = s->base + (int64_t)s->cur;
			*t = s->next.ns - s->offset_ns;
			return true;
		}
		for (;;) {
			bool whole = end_of_line(s, 0, &len);

			s->cur += len;
			s->lo = s->cur;
			if (whole)
				break;
		}
	}
}
