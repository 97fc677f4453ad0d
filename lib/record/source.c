#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "input/filter_command.h"
#include "input/journalfeed.h"
#include "input/own_output.h"
#include "input/pump.h"
#include "input/remote.h"
#include "input/spanfile.h"
#include "record/splitter.h"
#include "record/doubt.h"
#include "record/matcher.h"
#include "record/source.h"
#include "record/trace.h"

enum {
	SAMPLE = 65536,		/* the first bytes, at most, from which the format is told */
	UNDATED_MAX = 1000,	/* lines that are looked at for a time, where none has one */
	CLOCK_AHEAD = 60,	/* seconds that a clock without a date may be ahead of when its file was written */
	READ_THROUGH = 4 << 20,	/* of a file that lacks years: all of it */
	SAMPLE_STEP = 256 << 10,	/* of a larger one, bytes between two samples */
	SAMPLES_MAX = 4096,
	PROBE = 16384,		/* bytes, at so many places, where trace contexts are looked for */
	PROBES = 16,
};

/* Is its format the one that takes any time at the start of a line? */
static bool
is_any(const struct source *s)
{
	return (s->fmt->kinds & TIME_SET(TIME_ANY)) && s->fmt->where == WHERE_START;
}

/* Its own of the format's regular expressions, for its thread. */
static void
share_regexes(struct source *s)
{
	s->line = s->fmt->line ? regex_share(s->fmt->line) : NULL;
	s->begin = s->fmt->begin_line ? regex_share(s->fmt->begin_line) : NULL;
	s->stream = s->fmt->stream ? regex_share(s->fmt->stream) : NULL;
}

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
	struct stat st;
	ssize_t r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != s->ino || st.st_dev != s->dev)
		return -ESTALE;		/* it was replaced meanwhile, and these are not its bytes */
	do
		r = pread(fd, p, n, off);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

bool
source_is_ready(const struct source *s)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

	return s->seekable || s->behind || poll(&pfd, 1, 0) != 0;
}

/* Is there, or will there be, more of S before its views end? */
static bool
comes_in_time(const struct source *s)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };
	int64_t left = s->view_until_ms - clock_mono_ms();

	return s->view_until_ms == 0 || s->fd < 0 || poll(&pfd, 1, left > 0 ? (int)left : 0) != 0;
}

/* Bytes at OFF of what S holds, which reads on for them. */
static ssize_t
read_held(struct source *s, char *p, size_t n, int64_t off)
{
	size_t held;

	if (off >= s->base + (int64_t)s->hi && !(comes_in_time(s) && source_fill(s)))
		return 0;
	held = (size_t)(s->base + (int64_t)s->hi - off);
	n = n < held ? n : held;
	memcpy(p, s->buf + (off - s->base), n);
	return (ssize_t)n;
}

static ssize_t
read_at(const struct source *s, char *p, size_t n, int64_t off)
{
	ssize_t r;

	if (s->behind)
		return read_held(s->behind, p, n, off);
	if (s->pump)
		return pump_read(s->pump, p, n);
	if (s->feed)
		return feed_read(s->feed, p, n);
	if (s->nonblock && !source_is_ready(s))
		return -EAGAIN;
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
		s->buf = xrealloc(s->buf, s->cap + SOURCE_SLACK, 1);
	}
}

bool
source_fill(struct source *s)
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
	if (r == -EAGAIN && (s->feed || s->nonblock)) {
		s->dry = true;
		return false;
	}
	if (r <= 0) {
		s->eof = true;
		s->error = r < 0 ? (int)-r : 0;
		return false;
	}
	s->hi += (size_t)r;
	s->at += r;
	return true;
}

/* Lines of a feed that have no time come when they come; one with a time may still follow. */
static void
date(struct source *s, struct record *r)
{
	struct timespec now;
	struct stamp t;

	if (s->undated++ < UNDATED_MAX && is_any(s) && time_detect(&s->time, r->p, r->n) &&
	    time_parse(&s->time, r->p, r->n, &t)) {
		s->cut = s->fmt->cut;
		s->untimed = false;
		r->t = source_time(s, t.ns);
		r->res = t.res;
		s->last_ns = t.ns;
		r->inherited = false;
		return;
	}
	s->time.kinds = 0;
	clock_gettime(CLOCK_REALTIME, &now);
	r->t = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The record of LEN bytes at CUR, whose time is T where that is KNOWN. */
static void
record_fill(struct source *s, struct record *r, size_t len, bool known, struct stamp t)
{
	*r = (struct record){ .p = s->buf + s->cur, .n = len, .off = s->base + (int64_t)s->cur };
	r->inherited = !known;
	r->t = known ? t.ns : s->last_ns;
	r->res = known ? t.res : 1;
	r->partial = s->partial;
	s->last_ns = r->t;
	r->t = source_time(s, r->t);
	s->cur += len;
}

/* An event of a feed, which says where it ends and may know its time. */
static int
next_event(struct source *s, struct record *r, const struct event_meta *meta)
{
	struct stamp t = { meta->time_ns, 1000 };
	bool known = meta->time_ns != FEED_NO_TIME;

	while (s->hi - s->cur < meta->len && source_fill(s))
		;
	if (s->hi - s->cur < meta->len)
		return 0;
	/* The time that a named format finds in the text is the program's; the feed's is when the text came. */
	if (s->fmt->kinds && (!known || !s->detected.fmt))
		known |= splitter_time(s, s->buf + s->cur, meta->len, meta->len, &t);
	record_fill(s, r, meta->len, known, t);
	r->meta = meta;
	return 1;
}

/* Must a record that was cut where nothing more was there wait for what may belong to it? */
static bool
must_wait(const struct source *s, size_t len)
{
	if (!s->dry)
		return false;
	if (len == 0 || s->buf[s->cur + len - 1] != '\n' || s->cut == CUT_EXPORT)
		return true;
	return s->accept == ACCEPT_WHOLE || (s->accept == ACCEPT_LINES && (s->torn || s->cut == CUT_LINES));
}

static int
next_fed(struct source *s, struct record *r)
{
	const struct event_meta *meta;
	struct stamp t = s->next;
	bool known = s->has_next && s->next_timed, whole;
	size_t len;

	s->dry = s->torn = false;
	s->fast = false;		/* NEXT may become the time of another record before this one is whole */
	if (!s->hold)
		s->lo = s->cur;
	if (s->pump && !s->hold)
		feed_ack(s->feed, s->base + (int64_t)s->lo);
	if (s->cur == s->hi && !source_fill(s))
		return 0;
	meta = !s->feed ? NULL : feed_meta_at(s->feed, s->base + (int64_t)s->cur);
	if (meta && meta->len)
		return next_event(s, r, meta);
	if (!known && s->cut == CUT_TIMED)
		known = splitter_begins(s, 0, &t) && s->next_timed;
	whole = splitter_record(s, &len);
	if (whole && must_wait(s, len)) {
		s->has_next = false;
		return 0;
	}
	if (s->cut != CUT_TIMED && s->fmt->kinds)
		known = splitter_time(s, s->buf + s->cur, len, len, &t);
	/* Lines before the first time belong to the record after them, by time. */
	if (!known && s->cut == CUT_TIMED && s->has_next && s->next_timed && s->last_ns == 0)
		s->last_ns = s->next.ns;
	record_fill(s, r, len, known, t);
	s->has_next &= s->cut == CUT_TIMED && !s->dry;
	if (s->feed && !s->time.kinds)
		date(s, r);
	r->meta = meta;
	r->more = s->in_rest = !whole;
	s->fast = !s->feed && s->simple && s->has_next && s->next_timed && whole;
	return 1;
}

int
source_next_slow(struct source *s, struct record *r)
{
	struct stamp t = s->next;
	bool known = s->has_next && s->next_timed, whole;
	size_t len;

	while (s->in_rest) {		/* pieces that the caller did not read */
		const char *p;

		source_rest(s, &p, &len);
	}
	if (s->feed || s->nonblock)
		return next_fed(s, r);
	if (!s->hold)
		s->lo = s->cur;
	if (s->cur == s->hi && !source_fill(s))
		return 0;
	if (!s->started && s->cut == CUT_TIMED)
		known = splitter_begins(s, 0, &t) && s->next_timed;
	s->started = true;
	whole = splitter_record(s, &len);
	if (s->cut != CUT_TIMED && s->fmt->kinds)
		known = splitter_time(s, s->buf + s->cur, len, len, &t);
	/* Lines before the first time belong to the record after them, by time. */
	if (!known && s->cut == CUT_TIMED && s->has_next && s->next_timed && s->last_ns == 0)
		s->last_ns = s->next.ns;
	record_fill(s, r, len, known, t);
	r->more = s->in_rest = !whole;
	s->fast = s->simple && s->has_next && s->next_timed && whole;
	return 1;
}

int
source_piece(struct source *s, const char **p, size_t *n)
{
	bool whole;

	if (!s->in_rest)
		return 0;
	if (!s->hold)
		s->lo = s->cur;
	s->dry = false;
	if (s->cur == s->hi && !source_fill(s)) {
		if (s->dry && s->nonblock)
			return -EAGAIN;
		s->in_rest = false;
		return 0;
	}
	/* A newline that ended the last piece is behind us: what comes may be the next record. */
	if (s->cur > 0 && s->buf[s->cur - 1] == '\n') {
		bool begins = s->cut != CUT_TIMED || splitter_begins(s, 0, &s->next);

		if (s->dry && s->nonblock)
			return -EAGAIN;
		if (begins) {
			s->has_next = s->cut == CUT_TIMED;
			s->in_rest = false;
			return 0;
		}
	}
	whole = splitter_rest(s, n);
	if (whole && s->dry && s->nonblock)
		return -EAGAIN;		/* its end may only be what has come so far */
	s->in_rest = !whole;
	*p = s->buf + s->cur;
	s->cur += *n;
	return 1;
}

bool
source_rest(struct source *s, const char **p, size_t *n)
{
	if (s->pieces)
		return s->pieces(s->pieces_cookie, p, n);
	return source_piece(s, p, n) == 1;
}

bool
source_fields(const struct source *s, const char *p, size_t n, struct fields *out)
{
	return format_match(s->fmt, s->line, p, n, out);
}

bool
source_names_hosts(const struct source *s)
{
	return !s->clock && (s->fmt->where == WHERE_EXPORT || s->fmt->group[FIELD_HOST] >= 0 || s->fmt->keys[FIELD_HOST]);
}

const char *
source_order_name(const struct source *s)
{
	return s->merged ? "merged" : s->by_host ? "host" : s->fifo ? "fifo" : "none";
}

void
source_set_domains(struct source *s, struct domains *d)
{
	const char *name = s->clock ? s->clock : s->name;

	s->domains = d;
	s->domain = s->host = domains_get(d, (struct span){ name, strlen(name) }, false);
	source_renew_offset(s);
}

void
source_read_hosts(struct source *s)
{
	s->per_host = source_names_hosts(s);
}

void
source_renew_offset(struct source *s)
{
	s->offset_ns = s->domain->offset_ns;
}

struct domain *
source_domain(struct source *s, struct span host, bool inherited)
{
	const struct domain *last = s->host;

	if (host.p && host.n) {
		if (strlen(last->name) != host.n || memcmp(last->name, host.p, host.n) != 0)
			s->host = domains_get(s->domains, host, true);
	} else if (!inherited) {
		s->host = s->domain;
	}
	return s->host;
}

struct span
source_emitter(const struct source *s, struct span known, struct span text)
{
	struct span v;

	if (!s->emitter || !regex_match(s->emitter, text.p, text.n))
		return known;
	v = regex_span(s->emitter, 1, text.p);
	return v.p ? v : regex_span(s->emitter, 0, text.p);
}

/* The first bytes are in the buffer, as far as they can be had at once: how many. */
static size_t
sample(struct source *s)
{
	size_t want = s->cap / 2 < SAMPLE ? s->cap / 2 : SAMPLE;

	/* A pipe may stay empty for long: what is there decides. */
	while (s->hi < want && (s->seekable || !memchr(s->buf, '\n', s->hi)) && source_fill(s))
		;
	return s->hi < want ? s->hi : want;
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
	} else if (spec->order == ORDER_MERGED && sample(s) > 0 && *s->buf == '{' && format_find(fs, "jsonl")) {
		/* What this tool prints, which may begin with a watermark. */
		s->fmt = s->detected.fmt = format_find(fs, "jsonl");
	} else {
		detect_format(fs, s->buf, sample(s), &s->detected);
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

	if (!s->seekable || size <= 2 * SAMPLE)
		return false;
	text = xrealloc(NULL, SAMPLE, 1);
	n = read_at(s, text, SAMPLE, size / 2);
	nl = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
	return nl && time_detect(&s->time, nl + 1, (size_t)(text + n - nl - 1));
}

/* The sample says of which kinds its times are; without any, each line is a record. */
static void
settle_kind(struct source *s, int64_t size)
{
	size_t n = sample(s);

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
		s->fd = strcmp(s->location, "-") == 0 ? io_open("-") : open(s->location, O_RDONLY | O_CLOEXEC);
		if (s->fd < 0)
			return fail_errno(f, s->fd == -1 ? errno : s->fd, "%s", s->location);
		if (fstat(s->fd, st) < 0)
			return fail_errno(f, errno, "%s", s->location);
		if (S_ISDIR(st->st_mode))
			return fail_errno(f, EISDIR, "%s", s->location);
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

	if (trace_is_in(s->fmt, s->buf, sample(s), &s->trace_ends))
		return true;
	text = xrealloc(NULL, PROBE, 1);
	for (int i = 1; i <= PROBES && size > SAMPLE; i++) {
		ssize_t n = read_at(s, text, PROBE, size / PROBES * i - PROBE);
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
	share_regexes(s);
	s->fifo = spec->order == ORDER_OF_FORMAT ? s->fmt->fifo : spec->order != ORDER_NONE;
	s->by_host = spec->order == ORDER_HOST || (spec->order == ORDER_OF_FORMAT && s->fmt->by_host);
	s->merged = spec->order == ORDER_MERGED;
	s->twin = spec->twin;
	s->twin_journal = spec->twin && source_spec_is_journal(spec);
	s->order_named = spec->order != ORDER_OF_FORMAT;
	time_init(&s->time, s->fmt->kinds, s->zone, ref_s);
	s->time.boot_ns = boot_time();
	if (is_any(s))
		settle_kind(s, size);
	/* A time that is ahead of REF_S is one of a clock that is. */
	s->time.start.limit_s = zone_from_utc(s->zone, ref_s) +
	    (s->time.kinds & TIME_SET(TIME_CLOCK) ? CLOCK_AHEAD : CALENDAR_DAY);
	s->time.calendar = s->time.start;
	s->traced = trace_is_possible(s->fmt) && (has_contexts(s, size) || !s->seekable);
	s->doubts = doubt_find(s, s->buf, s->seekable ? sample(s) : s->hi < SAMPLE ? s->hi : SAMPLE, spec->format != NULL);
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
	struct source *v = source_view(s, 0, INT64_MAX, SAMPLE);
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
source_open(const struct source_spec *spec, const struct formats *fs, size_t buffer, bool keep_open,
    struct source **out, struct fail *f)
{
	struct source *s;
	struct stat st = { .st_mtime = time(NULL) };
	struct stamp first;
	struct fail ignored;
	int r;

	if (source_spec_is_journal(spec))
		return open_pumped(spec, fs, buffer, out, f);
	s = source_new(spec, buffer);
	r = open_location(s, spec, &st, f);
	if (r == 0 && s->seekable && !keep_open && !s->spans)
		drop_fd(s);
	if (r == 0)
		r = set_format(s, spec, fs, f);
	if (r < 0) {
		source_close(s, &ignored);
		return r;
	}
	settle_time(s, spec, S_ISREG(st.st_mode) ? st.st_mtime : time(NULL), st.st_size);
	if (s->cut == CUT_LINE && s->fmt->kinds &&
	    splitter_first_time(s, s->seekable ? sample(s) : s->hi, &first))
		s->first_ns = s->last_ns = first.ns;
	s->simple = s->cut == CUT_TIMED && s->fmt->where == WHERE_START && !s->fmt->end && !s->begin && !s->stream;
	s->indivisible = s->begin || s->stream;
	if (spec->year)
		settle_year(s, spec->year);
	else if (s->seekable && lacks_date(s, s->buf, sample(s)))
		settle_calendar(s, st.st_size);
	*out = s;
	return 0;
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
	    source_open(spec, fs, SAMPLE, true, &file, &ignored) < 0)
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
		s->buf = xcalloc(1, SAMPLE + SOURCE_SLACK);
		n = feed->ops->sample(feed, s->buf, SAMPLE);
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

bool
source_calendar(const struct source *s, int64_t *local_s)
{
	*local_s = s->time.calendar.last_s;
	return s->time.calendar.anchored;
}

void
source_set_calendar(struct source *s, int64_t local_s)
{
	s->time.start.last_s = local_s;
	s->time.start.anchored = true;
	s->time.calendar = s->time.start;
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
		status = filter_command_end(s->pid);
		if (status && !s->error)
			r = fail_set(f, EXIT_TROUBLE, "%s: the command that reads it ended with %d", s->location, status);
	}
	if (s->spooled && !s->shared && r == 0)
		r = fail_set(f, EXIT_TROUBLE, "%s: a part of it is not understood", s->location);
	if (!s->shared) {
		if (s->pump && pump_failed(s->pump, f))
			r = -EIO;
		pump_free(s->pump);
		zone_free(s->zone);
		free(s->zone_name);
		regex_free(s->emitter);
		free(s->name);
		free(s->clock);
		free(s->location);
	}
	matcher_free(s->matcher);
	regex_free(s->line);
	regex_free(s->begin);
	regex_free(s->stream);
	free(s->buf);
	free(s);
	return r;
}

void
source_rewind(struct source *s)
{
	s->lo = s->cur = s->hi = 0;
	s->base = s->at = s->lines = 0;
	s->eof = s->fast = s->started = s->has_next = s->in_rest = s->hold = false;
	s->last_ns = s->first_ns;
	s->endless = 0;
	s->error = 0;
	time_restart(&s->time);
}

void
source_range(struct source *v, int64_t from, int64_t to)
{
	source_rewind(v);
	v->base = v->at = from;
	v->end = to;
}

struct source *
source_view(struct source *s, int64_t from, int64_t to, size_t buffer)
{
	struct source *v = xcalloc_apart(1, sizeof *v);

	*v = *s;
	v->shared = true;
	v->behind = s->seekable ? NULL : s;
	v->matcher = NULL;
	share_regexes(v);
	v->pid = 0;
	v->cap = buffer;
	v->buf = xrealloc(NULL, v->cap + SOURCE_SLACK, 1);
	memset(v->buf + v->cap, 0, SOURCE_SLACK);
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
		if (!source_fill(s))
			return false;
		for (;;) {
			bool whole = splitter_line(s, 0, &len);

			s->cur += len;
			s->lo = s->cur;
			if (whole)
				break;
		}
	}
	for (;;) {
		if (s->cur == s->hi && !source_fill(s))
			return false;
		if (splitter_begins(s, 0, &s->next)) {
			*off = s->base + (int64_t)s->cur;
			*t = source_time(s, s->next.ns);
			return true;
		}
		for (;;) {
			bool whole = splitter_line(s, 0, &len);

			s->cur += len;
			s->lo = s->cur;
			if (whole)
				break;
		}
	}
}
