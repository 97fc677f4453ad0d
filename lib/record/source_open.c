#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "input/filter_command.h"
#include "input/journalfeed.h"
#include "input/own_output.h"
#include "input/pump.h"
#include "input/remote.h"
#include "input/spanfile.h"
#include "record/doubt.h"
#include "record/source_open.h"
#include "record/sourcebuf.h"
#include "record/splitter.h"
#include "record/trace.h"

enum {
	CLOCK_AHEAD = 60,	/* seconds that a clock without a date may be ahead of when its file was written */
	READ_THROUGH = 4 << 20,	/* of a file that lacks years: all of it */
	SAMPLE_STEP = 256 << 10,	/* of a larger one, bytes between two samples */
	SAMPLES_MAX = 4096,
	PROBE = 16384,		/* bytes, at so many places, where trace contexts are looked for */
	PROBES = 16,
};

static void
drop_fd(struct source *s)
{
	io_closep(&s->fd);
	s->fd = -1;
}

static int
set_format(struct source *s, const struct source_spec *spec, const struct formats *fs, struct fail *f)
{
	const char *zone = spec->zone;
	int r;

	if (spec->format) {
		s->fmt = format_find(fs, spec->format);
		if (!s->fmt)
			return fail_set(f, EXIT_USAGE, "%s: format '%s' is not known", spec->name, spec->format);
	} else if (spec->order == ORDER_MERGED && sourcebuf_sample(s) > 0 && *s->buf == '{' && format_find(fs, "jsonl")) {
		/* What this tool prints, which may begin with a watermark. */
		s->fmt = s->detected.fmt = format_find(fs, "jsonl");
	} else {
		detect_format(fs, s->buf, sourcebuf_sample(s), &s->detected);
		s->fmt = s->detected.fmt;
	}
	if (!zone)
		zone = s->fmt->zone ? s->fmt->zone : "local";
	s->zone_name = xstrdup(zone);
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

/* A log whose beginning has no time may have one behind it, as behind a banner: the middle of a file tells. */
static bool
detect_in_middle(struct source *s, int64_t size)
{
	_cleanup_free_ char *text = NULL;
	const char *nl;
	ssize_t n;

	if (!s->seekable || size <= 2 * SOURCE_SAMPLE)
		return false;
	text = xrealloc(NULL, SOURCE_SAMPLE, 1);
	n = sourcebuf_read_at(s, text, SOURCE_SAMPLE, size / 2);
	nl = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
	return nl && time_detect(&s->time, nl + 1, (size_t)(text + n - nl - 1));
}

/* The sample says of which kinds its times are; without any, each line is a record. */
static void
settle_kind(struct source *s, int64_t size)
{
	size_t n = sourcebuf_sample(s);

	if (!time_detect(&s->time, s->buf, n) && !detect_in_middle(s, size)) {
		s->cut = CUT_LINE;
		s->untimed = n > 0;
	}
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

/* A file of spans is read as the lines that are made of it, compressed or not. */
static int
open_spans(struct source *s, char *const *unpack, struct stat *st, struct fail *f)
{
	int plain = unpack ? filter_command_unpack(unpack, s->fd) : s->fd, fd, ignored;

	if (plain < 0)
		return fail_errno(f, plain, "%s: %s", s->location, unpack[0]);
	fd = spanfile_spool(plain, s->location, &s->spooled);
	if (unpack)
		close(plain);
	drop_fd(s);
	if (fd < 0)
		return fail_errno(f, fd, "%s: its spans cannot be kept in TMPDIR or /var/tmp", s->location);
	s->fd = fd;
	s->seekable = s->spans = true;
	ignored = fstat(fd, st);
	(void)ignored;
	return 0;
}

static int
open_location(struct source *s, const struct source_spec *spec, struct stat *st, struct fail *f)
{
	const bool remote = remote_is(spec->location);
	char **helper = remote ? remote_command(spec, false) : NULL;
	char *const *argv = helper ? helper : filter_command_of(s->location);
	int r = 0;

	if (!remote) {
		/* A FIFO without a writer must not keep the others from being opened: what writes to it may wait for them. */
		s->fd = strcmp(s->location, "-") == 0 ? io_open("-") : open(s->location, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (s->fd < 0)
			return fail_errno(f, s->fd == -1 ? errno : s->fd, "%s", s->location);
		if (fstat(s->fd, st) < 0)
			return fail_errno(f, errno, "%s", s->location);
		if (S_ISDIR(st->st_mode))
			return fail_errno(f, EISDIR, "%s", s->location);
		if (strcmp(s->location, "-") != 0)
			fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) & ~O_NONBLOCK);
		r = own_output_check(st, s->location, f);
		if (r < 0)
			return r;
		s->seekable = S_ISREG(st->st_mode) && !argv && strcmp(s->location, "-") != 0;
		s->dev = st->st_dev;
		s->ino = st->st_ino;
	}
	if (!remote && (argv ? spec->format && strcmp(spec->format, "spans") == 0 : spanfile_is_open(s->fd, spec->format)))
		return open_spans(s, argv, st, f);
	if (argv) {
		int fd = filter_command_start(argv, s->fd, &s->pid);

		drop_fd(s);
		if (fd < 0)
			r = fail_errno(f, fd, "%s: cannot run %s", s->location, argv[0]);
		s->fd = fd;
	}
	xfree_strv(helper);
	return r;
}

static struct source *
source_new(const struct source_spec *spec, size_t buffer)
{
	struct source *s = xcalloc(1, sizeof *s);

	s->name = xstrdup(spec->name);
	s->clock = spec->clock ? xstrdup(spec->clock) : NULL;
	s->location = xstrdup(remote_is(spec->location) ? spec->name : spec->location);
	s->fd = -1;
	s->end = INT64_MAX;
	s->cap = buffer;
	s->buf = xrealloc(NULL, s->cap + SOURCE_SLACK, 1);
	memset(s->buf + s->cap, 0, SOURCE_SLACK);
	return s;
}

/* Do its first bytes, or some of a large file, hold trace contexts? */
static bool
has_contexts(struct source *s, int64_t size)
{
	_cleanup_free_ char *text = NULL;
	bool ignored;

	if (trace_is_in(s->fmt, s->buf, sourcebuf_sample(s), &s->trace_ends))
		return true;
	text = xrealloc(NULL, PROBE, 1);
	for (int i = 1; i <= PROBES && size > SOURCE_SAMPLE; i++) {
		ssize_t n = sourcebuf_read_at(s, text, PROBE, size / PROBES * i - PROBE);
		const char *nl = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;

		if (nl && trace_is_in(s->fmt, nl + 1, (size_t)(text + n - nl - 1), &ignored))
			return true;
	}
	return false;
}

/* Its format is known. */
static void
settle_time(struct source *s, const struct source_spec *spec, int64_t ref_s, int64_t size)
{
	s->cut = s->fmt->cut;
	source_share_regexes(s);
	s->fifo = spec->order == ORDER_OF_FORMAT ? s->fmt->fifo : spec->order != ORDER_NONE;
	s->by_host = spec->order == ORDER_HOST || (spec->order == ORDER_OF_FORMAT && s->fmt->by_host);
	s->merged = spec->order == ORDER_MERGED;
	s->twin = spec->twin;
	s->twin_journal = spec->twin && source_spec_is_journal(spec);
	s->order_named = spec->order != ORDER_OF_FORMAT;
	time_init(&s->time, s->fmt->kinds, s->zone, ref_s);
	s->time.boot_ns = boot_time();
	if (source_takes_any_time(s))
		settle_kind(s, size);
	/* A time that is ahead of REF_S is one of a clock that is. */
	s->time.start.limit_s = zone_from_utc(s->zone, ref_s) +
	    (s->time.kinds & TIME_SET(TIME_CLOCK) ? CLOCK_AHEAD : CALENDAR_DAY);
	s->time.calendar = s->time.start;
	s->traced = trace_is_possible(s->fmt) && (has_contexts(s, size) || !s->seekable);
	s->doubts = doubt_find(s, s->buf, s->seekable ? sourcebuf_sample(s) : s->hi < SOURCE_SAMPLE ? s->hi : SOURCE_SAMPLE, spec->format != NULL);
}

/* Does the first time stamp of the sample lack its year or its day? */
static bool
lacks_date(struct source *s, const char *text, size_t n)
{
	const struct time_ctx before = s->time;
	const char *end = text + n, *nl;
	struct stamp t;
	bool lacks = false;

	if (s->fmt->where == WHERE_EXPORT)
		return false;
	for (const char *p = text; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			nl = end;
		if (splitter_time(s, p, (size_t)(nl - p), (size_t)(nl - p), &t)) {
			lacks = s->time.calendar.guessed;
			break;
		}
	}
	s->time = before;
	return lacks;
}

/*
 * The years, or days, of a regular file that lacks them.  The last stamp is the
 * latest one that is not after the file was written; they are counted back from
 * there.  A small file is read through, of a large one samples are.
 */
static void
settle_calendar(struct source *s, int64_t size)
{
	const bool days = s->time.kinds & TIME_SET(TIME_CLOCK);
	const int64_t turn = days ? 18 * 3600 : 358 * (int64_t)CALENDAR_DAY;
	int64_t step = size <= READ_THROUGH ? 0 : size / SAMPLES_MAX > SAMPLE_STEP ? size / SAMPLES_MAX : SAMPLE_STEP;
	struct source *v = source_view(s, 0, INT64_MAX, SOURCE_SAMPLE);
	int64_t first = INT64_MIN, last = 0, off, t = 0;
	bool turned = false;
	struct record r;

	for (int64_t at = 0; step ? at < size && source_probe(v, at, &off, &t) : source_next(v, &r); at += step) {
		if (!step && r.inherited)
			continue;
		if (!v->time.calendar.guessed)
			break;		/* its stamps are whole */
		last = zone_from_utc(s->zone, (step ? t : r.t) / 1000000000);
		if (first == INT64_MIN)
			first = last;
		turned |= last - first > turn;
		v->time.start = v->time.calendar;
	}
	if (first != INT64_MIN) {
		s->time.start.last_s = calendar_back(first, last, s->time.start.limit_s, days);
		s->time.start.anchored = s->time.start.guessed = true;
		s->time.calendar = s->time.start;
		s->indivisible |= turned;
	}
	source_close(v, NULL);
}

/* A source of events is read by the same feed that follows it. */
static int
open_pumped(const struct source_spec *spec, const struct formats *fs, size_t buffer, struct source **out,
    struct fail *f)
{
	struct feed_pump *p = pump_new(journalfeed_new(spec->location, spec->dir), f);

	if (!p)
		return -EIO;
	if (source_open_feed(spec, fs, buffer, pump_feed(p), out, f) < 0) {
		pump_free(p);
		return -EINVAL;
	}
	(*out)->pump = p;
	return 0;
}

/* The user says which year the first stamp is of. */
static void
settle_year(struct source *s, int year)
{
	/* A step back of more than a week is the next year: so no day of this year is one. */
	s->time.start.last_s = (calendar_days(year, 1, 1) + 7) * CALENDAR_DAY;
	s->time.start.anchored = true;
	s->time.calendar = s->time.start;
	s->indivisible = true;
}

int
source_open_begin(const struct source_spec *spec, const struct formats *fs, size_t buffer, bool keep_open,
    struct source **out, struct fail *f)
{
	struct stat st = { .st_mtime = time(NULL) };
	struct fail ignored;
	struct source *s;
	int r;

	if (source_spec_is_journal(spec))
		return open_pumped(spec, fs, buffer, out, f);
	s = source_new(spec, buffer);
	r = open_location(s, spec, &st, f);
	if (r < 0) {
		source_close(s, &ignored);
		return r;
	}
	if (s->seekable && !keep_open && !s->spans)
		drop_fd(s);
	s->size = st.st_size;
	s->written_s = S_ISREG(st.st_mode) ? st.st_mtime : time(NULL);
	*out = s;
	return 0;
}

int
source_open_finish(struct source *s, const struct source_spec *spec, const struct formats *fs, struct fail *f)
{
	struct stamp first;
	struct fail ignored;
	int r;

	if (s->fmt)
		return 0;
	sourcebuf_wait(s);
	r = set_format(s, spec, fs, f);
	if (r < 0) {
		source_close(s, &ignored);
		return r;
	}
	settle_time(s, spec, s->written_s, s->size);
	if (s->cut == CUT_LINE && s->fmt->kinds &&
	    splitter_first_time(s, s->seekable ? sourcebuf_sample(s) : s->hi, &first))
		s->first_ns = s->last_ns = first.ns;
	s->simple = s->cut == CUT_TIMED && s->fmt->where == WHERE_START && !s->fmt->end && !s->begin && !s->stream;
	s->indivisible = s->begin || s->stream;
	if (spec->year)
		settle_year(s, spec->year);
	else if (s->seekable && lacks_date(s, s->buf, sourcebuf_sample(s)))
		settle_calendar(s, s->size);
	return 0;
}

int
source_open(const struct source_spec *spec, const struct formats *fs, size_t buffer, bool keep_open,
    struct source **out, struct fail *f)
{
	int r = source_open_begin(spec, fs, buffer, keep_open, out, f);

	return r < 0 ? r : source_open_finish(*out, spec, fs, f);
}

/* What a followed file lacks of its dates is told as without following. */
static void
settle_feed(struct source *s, const struct source_spec *spec, const struct formats *fs)
{
	struct source *file = NULL;
	struct fail ignored;
	struct stat st;

	if (spec->year)
		settle_year(s, spec->year);
	if (spec->year || !lacks_date(s, s->buf, s->hi) || remote_is(spec->location) || strncmp(spec->location, "journal:", 8) == 0 ||
	    stat(spec->location, &st) < 0 || !S_ISREG(st.st_mode) ||
	    source_open(spec, fs, SOURCE_SAMPLE, true, &file, &ignored) < 0)
		return;
	if (file->time.start.anchored)
		s->time.start = s->time.calendar = file->time.start;
	source_close(file, &ignored);
}

int
source_open_feed(const struct source_spec *spec, const struct formats *fs, size_t buffer, struct feed *feed,
    struct source **out, struct fail *f)
{
	struct source *s = source_new(spec, buffer);
	char *own = s->buf;
	ssize_t n = 0;
	struct fail ignored;
	int r;

	/* The sample is looked at in place of what comes, which may be the end of a long log. */
	s->feed = feed;
	if (feed->ops->sample) {
		s->buf = xcalloc(1, SOURCE_SAMPLE + SOURCE_SLACK);
		n = feed->ops->sample(feed, s->buf, SOURCE_SAMPLE);
		s->hi = n > 0 ? (size_t)n : 0;
		s->eof = true;
	}
	r = set_format(s, spec, fs, f);
	if (r == 0) {
		settle_time(s, spec, time(NULL), 0);
		settle_feed(s, spec, fs);
	}
	if (feed->ops->sample) {
		free(s->buf);
		s->buf = own;
		s->hi = 0;
		s->eof = false;
	}
	if (r < 0) {
		source_close(s, &ignored);
		return r;
	}
	*out = s;
	return 0;
}
