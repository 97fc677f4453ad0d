/*
 * feed - a live source: what comes while the tool runs.
 *
 * A feed is either of bytes, which the source's format cuts into records, or
 * of whole events, each of which is a record.  A module that makes one embeds a struct
 * feed, lets the loop wake it, and either
 *
 *	puts what came: feed_push() of whole lines, feed_push_event(); or
 *	is asked for it: it has a READ of its own, and calls feed_wake() when there may be more.
 *
 * Offsets count the bytes that a feed has given, from 0 on.  When all records
 * before an offset are out, PASSED is told, and what SAVE writes from then on
 * is a place to go on behind them: a file's identity and offset, a cursor, the
 * id of the last event.
 *
 * Bytes are handed out by the line; only the end of a source may be torn.
 * Errors: a negative errno, -EAGAIN where there is nothing at present.
 */
#ifndef INPUT_FEED_H
#define INPUT_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"

/* So much may wait in a feed that is put into, before PAUSE is called. */
enum { FEED_QUEUE_MAX = 4 << 20 };

#define FEED_NO_TIME	INT64_MIN

struct feed;

struct feed_ops {
	/* Begin; from here on the feed may wake its host.  What cannot be is an error only if it never can be. */
	int (*start)(struct feed *f, struct fail *why);
	/* At most N bytes, 0 for the end; and is there anything, or the end?  Both NULL: it puts them. */
	ssize_t (*read)(struct feed *f, char *p, size_t n);
	bool (*ready)(struct feed *f);
	/* Let nothing more come, or come again; NULL: what is not read waits where it is. */
	void (*pause)(struct feed *f, bool paused);
	/* Every record before OFF is out.  NULL: nothing is to be remembered. */
	void (*ack)(struct feed *f, int64_t off);
	/* Write where to go on into the object STATE; and, before start(), take what was written.  Both or none. */
	void (*save)(struct feed *f, struct json *state);
	int (*restore)(struct feed *f, struct json state, struct fail *why);
	/* The first bytes of the whole log, for its format to be told; NULL: the first that come. */
	ssize_t (*sample)(struct feed *f, char *p, size_t n);
	void (*free)(struct feed *f);
};

/* What is known of an event beside its text; texts are copied. */
struct feed_event {
	const char *id;			/* the feed's own name for it, for feed_last_id(); NULL */
	const char *sequence;		/* it is NUMBER of that sequence: an edge to the one before it; NULL */
	int64_t number;
	bool sparse;			/* that sequence has holes, and they are no gaps */
	const char *boot;		/* it came MONO_US after that boot began: its key; NULL */
	int64_t mono_us;
	int64_t time_ns;		/* UTC; FEED_NO_TIME: the time in its text */
	int level;			/* syslog's number; -1: what the format finds */
	const char *incarnation;	/* which run of a unit it is of, for JSON; NULL */
};

#define FEED_EVENT_INIT	{ .time_ns = FEED_NO_TIME, .level = -1 }

/* The same, as it is kept until it has passed; of an event, or of the record that begins at OFF. */
struct event_meta {
	int64_t off;
	size_t len;			/* of the event; 0: the format cuts */
	char *id;
	const char *incarnation;	/* the feed's, as long as that lives */
	uint64_t sequence, boot;	/* hashes, 0 for none */
	int64_t number, mono_us, time_ns;
	int level;
	bool sparse;
	bool gap;			/* something is missing before it */
};

/* The reader of a feed.  Called from the loop; the feed may not be read from within. */
struct feed_host {
	void (*wake)(void *cookie);				/* there may be more */
	void (*tell)(const struct fail *f, void *cookie);	/* for the user: EXIT_OK for what is no error */
	void *cookie;
};

struct feed {
	const struct feed_ops *ops;
	struct loop *loop;
	struct feed_host host;
	char *name;			/* for messages */
	struct buf queue;		/* what was put, from HEAD on */
	size_t head;
	int64_t put, given;		/* bytes that came, and that were read */
	struct event_meta *meta;	/* by OFF, from FIRST on */
	size_t first, n_meta, meta_cap;
	char *last_id;			/* of the last event that has passed */
	char **words;			/* incarnations: there are few, and many events of each */
	size_t n_words;
	bool once;			/* what there is now is all, and then it ends */
	bool started, ended, paused, gap;
};

/* --- for modules that make feeds */

void feed_init(struct feed *f, const struct feed_ops *ops, const char *name);

/* What feed_init() and the functions below hold; for FREE. */
void feed_release(struct feed *f);

/* N bytes of whole lines have come. */
void feed_push(struct feed *f, const char *p, size_t n);

/* An event has come: its text, which gets a newline where it has none. */
void feed_push_event(struct feed *f, const char *p, size_t n, const struct feed_event *key);

/* What comes next does not join what was before; WHY, where it is not NULL, is told the user. */
void feed_gap(struct feed *f, const struct fail *why);

/* Nothing more will come. */
void feed_end(struct feed *f);

void feed_wake(struct feed *f);

/* Tell the user, naming the feed. */
void feed_tell(struct feed *f, enum exit_status status, const char *fmt, ...) PRINTF(3, 4);

/* The id of the last event that is out, NULL for none: where a broken stream goes on is the id last put instead. */
const char *feed_last_id(const struct feed *f);

/* --- for their host */

int feed_start(struct feed *f, struct loop *l, const struct feed_host *host, struct fail *why);
ssize_t feed_read(struct feed *f, char *p, size_t n);

/* Is anything there, or the end, that feed_read() would give? */
bool feed_is_ready(struct feed *f);

/* What is known of the record that begins at OFF; NULL for nothing.  Good until it has passed. */
const struct event_meta *feed_meta_at(const struct feed *f, int64_t off);
void feed_ack(struct feed *f, int64_t off);
void feed_free(struct feed *f);

#endif
