/*
 * source - one log, cut into records.
 *
 * A record is a line with what belongs to it: lines without a time of their
 * own that follow it, a block of the format, a journal entry.  Its bytes are
 * those of the file, its newline among them where the file has one.  Every
 * byte belongs to exactly one record.
 *
 * A record of more than RECORD_MAX bytes comes in pieces: the first as a
 * record with MORE set, the others from source_rest().
 *
 * Errors: reading stops as at the end; ERROR then holds an errno.
 */
#ifndef RECORD_SOURCE_H
#define RECORD_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/fail.h"
#include "input/feed.h"
#include "input/source_spec.h"
#include "record/detect.h"
#include "record/domains.h"
#include "record/format.h"
#include "record/time.h"

enum {
	RECORD_MAX = 1 << 20,
	SOURCE_SLACK = 64,	/* readable bytes behind the buffer, for time_again() */
};

struct record {
	const char *p;		/* borrowed until the source reads on */
	size_t n;
	int64_t t;		/* ns since 1970, UTC, the source's offset taken off */
	int64_t res;		/* of its last digit */
	int64_t off;		/* where it begins, from the source's first byte */
	bool more;		/* pieces follow */
	bool inherited;		/* it has no time of its own */
	bool partial;		/* its last part is missing */
	const struct event_meta *meta;	/* what a feed knows of it besides; NULL */
};

/* Of a record of a feed whose end cannot be told from what has come so far, because more lines may belong to it. */
enum source_accept {
	ACCEPT_WHOLE,		/* it has to wait */
	ACCEPT_LINES,		/* take the lines that are there, unless they begin a block */
	ACCEPT_ANY,		/* take them all the same */
};

struct matcher;

struct source {
	char *name, *location;
	unsigned rank;			/* its place by name, which breaks ties */
	const struct format *fmt;
	struct detected detected;	/* unless the user named a format */
	bool fifo;			/* position is program order */
	bool by_host;			/* but only among the records of one clock domain */
	bool merged;			/* it is the output of a merge: position is no more than a tie-break among emitters */
	bool twin, twin_journal;	/* one of an agent's file and journal, which may hold the same records; the journal */
	bool order_named;		/* the user said which of these */
	struct regex *emitter;		/* the user's, or NULL */
	struct regex *line, *begin, *stream;	/* shares of the format's, or NULL */
	/* The further pieces of a record, of a source that is decoded ahead; else NULL. */
	bool (*pieces)(void *cookie, const char **p, size_t *n);
	void *pieces_cookie;
	struct matcher *matcher;		/* of edges (record/matcher.h), freed with the source; NULL while none is needed */
	int64_t offset_ns;		/* its clock is that far ahead */
	char *clock;			/* clock= of the user, or NULL */
	struct domains *domains;	/* borrowed; NULL: its clock is its own, and OFFSET_NS is all there is to know */
	struct domain *domain;		/* of records that name no host */
	struct domain *host;		/* of the last record that named one */
	bool per_host;			/* the host of each record is looked up when it is decoded */
	const struct domain *only;	/* records of other domains are left out; NULL: they are not */
	const struct domain *const *except;	/* and those of these are; borrowed */
	unsigned n_except;
	bool skipping;			/* pieces of a record that is left out */
	struct zone *zone;
	char *zone_name;		/* as the user or the format wrote it */
	struct time_ctx time;
	enum format_cut cut;
	int error;			/* errno that ended it early, 0 for none */

	/* BUF[LO..HI) is held, the next record begins at CUR; BASE is the offset of BUF[0]. */
	char *buf;
	size_t cap, lo, cur, hi;
	int64_t base;
	bool eof, hold;			/* HOLD: LO moves by source_release() alone */
	bool simple, fast;		/* its times stand at the start; and NEXT is known, so the short way is open */
	bool started, has_next, in_rest;
	bool next_timed;		/* the record that begins at CUR has a time, which is NEXT */
	bool partial;			/* the record that was read last is parts without their end */
	bool indivisible;		/* it must be read from its start: a part does not tell its year, or its records */
	struct stamp next;		/* the time of the record that begins at CUR */
	int64_t endless;		/* a block's end marker is nowhere from CUR up to here */
	int64_t first_ns;		/* of the first of lines that are records each; 0 for none */
	int64_t last_ns;		/* of the last one that had any, for those that inherit */

	/* Where the bytes come from. */
	int fd;				/* -1: closed, or opened anew for each read */
	int64_t size, written_s;	/* of the file when it was opened */
	dev_t dev;			/* what LOCATION was when it was opened */
	ino_t ino;
	bool bounded;			/* it was read before: END is where it ended then */
	bool nonblock;			/* source_next() gives 0, without EOF, where it would wait for bytes */
	int64_t lines;			/* newlines before CUR, where block_decode() counts them */
	bool seekable, shared;		/* pread(2) works; the descriptor is another's */
	void (*idle)(void *cookie);	/* called before it waits for bytes; or NULL */
	void *cookie;
	pid_t pid;			/* of the command that writes it, 0 for none */
	char *const *argv;		/* that command, where it ran at all */
	struct feed *feed;		/* borrowed; NULL for a source of bytes that is read to its end */
	struct feed_pump *pump;		/* that has FEED read to its end; or NULL */
	int64_t view_until_ms;		/* views of it end where nothing has come by then (monotonic); 0: they wait */
	struct source *behind;		/* of a view of a source that cannot be read twice: the source, which holds the bytes */
	enum source_accept accept;
	bool untimed;			/* no line of the sample has a time */
	unsigned doubts;		/* of record/doubt.h */
	bool spans;			/* LOCATION is a file of spans, and FD holds lines that were made of it */
	bool traced;			/* its records may have trace contexts: record/trace.h */
	bool trace_ends;		/* and is written when a span ends */
	int spooled;			/* status of the command whose whole output it is; 0 for none that failed */
	bool dry;			/* more would have been read, and was not there yet */
	bool torn;			/* a block has no end yet */
	unsigned undated;		/* lines that had no time, while none had any: their time is when they came */
	int64_t at, end;		/* offset of the next read; none beyond END */
};

/*
 * The last stamp without a year or a day, in seconds of local time, from which the
 * next one is told; false where there was none.  What is read on from there later
 * is told the same after source_set_calendar().
 */
bool source_calendar(const struct source *s, int64_t *local_s);
void source_set_calendar(struct source *s, int64_t local_s);

/* Closes it; where a command of it failed, F says so and the result is negative. */
int source_close(struct source *s, struct fail *f);

/* Read a seekable one again from its start, as it was when it was opened. */
void source_rewind(struct source *s);

/* The same up to where it has been read: what the first pass saw is the bound of the second. */
void source_read_again(struct source *s);

/*
 * The bytes from FROM to TO of a seekable one, as a source of its own that
 * shares what it can; FROM is where a record begins.  Close it before S.  Of
 * another one, that is what S has not read yet, and S holds what the view reads.
 */
struct source *source_view(struct source *s, int64_t from, int64_t to, size_t buffer);

/* Have the view V read those bytes next. */
void source_range(struct source *v, int64_t from, int64_t to);

/* The first record that begins at FROM or after it: its offset and time, or false where there is none. */
bool source_probe(struct source *scratch, int64_t from, int64_t *off, int64_t *t);

int source_next_slow(struct source *s, struct record *r);

/* Its own of the format's regular expressions, for its thread. */
void source_share_regexes(struct source *s);

/* The fields of a record of S, as format_fields() finds them; S is used by one thread. */
static inline bool
source_fields(const struct source *s, const char *p, size_t n, struct fields *out)
{
	return format_match(s->fmt, s->line, p, n, out);
}

/* Is its format the one that takes any time at the start of a line? */
static inline bool
source_takes_any_time(const struct source *s)
{
	return (s->fmt->kinds & TIME_SET(TIME_ANY)) && s->fmt->where == WHERE_START;
}

/* The emitter of the record TEXT: what the user's emitter= matches, else KNOWN, which the format found. */
struct span source_emitter(const struct source *s, struct span known, struct span text);

/* The next piece of a record with MORE: 1, 0 after the last, -EAGAIN where a NONBLOCK source has to wait for it. */
int source_piece(struct source *s, const char **p, size_t *n);

/* The same of a source that waits for its bytes; false after the last. */
bool source_rest(struct source *s, const char **p, size_t *n);

/* The clock domains of S are among those of D. */
void source_set_domains(struct source *s, struct domains *d);

/* Have the host of each record looked up, where the format finds one. */
void source_read_hosts(struct source *s);

/* The word for its order, as in order=. */
const char *source_order_name(const struct source *s);

/* The offset of its domain has changed. */
void source_renew_offset(struct source *s);

/* Does the format tell the host that stamped a record, unless clock= says it? */
bool source_names_hosts(const struct source *s);

/* The domain of a record with HOST, which has no pointer where it names none; INHERITED: its time is another's. */
struct domain *source_domain(struct source *s, struct span host, bool inherited);

/* With HOLD: the byte at OFF, and that nothing before OFF is needed. */
static inline const char *
source_at(const struct source *s, int64_t off)
{
	return s->buf + (off - s->base);
}

static inline void
source_release(struct source *s, int64_t off)
{
	s->lo = (size_t)(off - s->base);
}

/* The time T of its clock, put right; one that is beyond all that can be told wraps round. */
static inline int64_t
source_time(const struct source *s, int64_t t)
{
	return (int64_t)((uint64_t)t - (uint64_t)s->offset_ns);
}

/* The next record: 1, 0 at the end. */
static inline int
source_next(struct source *s, struct record *r)
{
	if (s->fast) {
		const char *p = s->buf + s->cur;
		const char *nl = memchr(p, '\n', s->hi - s->cur);
		int64_t ns;

		if (nl && s->buf + s->hi - nl > 64 && time_again(&s->time, nl + 1, &ns)) {
			*r = (struct record){ p, (size_t)(nl + 1 - p), source_time(s, s->next.ns), s->next.res,
			    s->base + (int64_t)s->cur, false, false, false, NULL };
			s->next.ns = ns;
			s->next.res = s->time.res;
			s->cur += r->n;
			if (!s->hold)
				s->lo = s->cur - r->n;
			return 1;
		}
	}
	return source_next_slow(s, r);
}

#endif
