#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "input/filter_command.h"
#include "input/pump.h"
#include "record/linker.h"
#include "record/matcher.h"
#include "record/source.h"
#include "record/sourcebuf.h"
#include "record/splitter.h"

enum { UNDATED_MAX = 1000 };	/* lines that are looked at for a time, where none has one */

void
source_share_regexes(struct source *s)
{
	s->line = s->fmt->line ? regex_share(s->fmt->line) : NULL;
	s->begin = s->fmt->begin_line ? regex_share(s->fmt->begin_line) : NULL;
	s->stream = s->fmt->stream ? regex_share(s->fmt->stream) : NULL;
}

/* Lines of a feed that have no time come when they come; one with a time may still follow. */
static void
date(struct source *s, struct record *r)
{
	struct timespec now;
	struct stamp t;

	if (s->undated++ < UNDATED_MAX && source_takes_any_time(s) && time_detect(&s->time, r->p, r->n) &&
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

	while (s->hi - s->cur < meta->len && sourcebuf_fill(s))
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
	if (s->cur == s->hi && !sourcebuf_fill(s))
		return 0;
	meta = !s->feed ? NULL : feed_meta_at(s->feed, s->base + (int64_t)s->cur);
	if (meta && meta->len)
		return next_event(s, r, meta);
	if (!known && s->cut == CUT_TIMED)
		known = splitter_begins(s, 0, &t) && s->next_timed;
	whole = linker_record(s, &len);
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
	if (s->cur == s->hi && !sourcebuf_fill(s))
		return 0;
	if (!s->started && s->cut == CUT_TIMED)
		known = splitter_begins(s, 0, &t) && s->next_timed;
	s->started = true;
	whole = linker_record(s, &len);
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
	if (s->cur == s->hi && !sourcebuf_fill(s)) {
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
	whole = linker_rest(s, n);
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
		io_closep(&s->fd);
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
source_read_again(struct source *s)
{
	if (s->eof && s->error == 0 && s->end == INT64_MAX) {
		s->end = s->at;
		s->bounded = true;
	}
	source_rewind(s);
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
	source_share_regexes(v);
	v->pid = 0;
	v->cap = buffer;
	v->buf = xrealloc(NULL, v->cap + SOURCE_SLACK, 1);
	memset(v->buf + v->cap, 0, SOURCE_SLACK);
	source_range(v, from, s->bounded && to > s->end ? s->end : to);
	return v;
}

/* Pass over the rest of the line, however long it is. */
static void
skip_line(struct source *s)
{
	bool whole;
	size_t len;

	do {
		whole = splitter_line(s, 0, &len);
		s->cur += len;
		s->lo = s->cur;
	} while (!whole);
}

bool
source_probe(struct source *s, int64_t from, int64_t *off, int64_t *t)
{
	source_rewind(s);
	/* One byte before, so that a record which begins just at FROM is seen to. */
	s->base = s->at = from ? from - 1 : 0;
	if (from) {
		if (!sourcebuf_fill(s))
			return false;
		skip_line(s);
	}
	for (;;) {
		if (s->cur == s->hi && !sourcebuf_fill(s))
			return false;
		if (splitter_begins(s, 0, &s->next)) {
			*off = s->base + (int64_t)s->cur;
			*t = source_time(s, s->next.ns);
			return true;
		}
		skip_line(s);
	}
}
