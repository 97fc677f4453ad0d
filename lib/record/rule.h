/*
 * rule - which records cause which: rules.d/NAME.conf, which rejoin-rules(5)
 * describes, and the clocks that a format finds in its records.
 *
 * A rule is compiled once; record/matcher.h then finds its constraints in records:
 * which ids it sends (so that others may wait for it) and which it needs sent
 * before it.  Ids are hashes of 64 bits of the rule and the text.
 *
 * Errors: EXIT_USAGE with file and line; EXIT_DENIED for a file that others
 * could have written.
 */
#ifndef RECORD_RULE_H
#define RECORD_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/xalloc.h"
#include "record/source.h"

/* How far an edge is to be trusted, the best first. */
enum constraint_class {
	CONSTRAINT_CLOCK, CONSTRAINT_PROGRAM, CONSTRAINT_MESSAGE, CONSTRAINT_SPAN, CONSTRAINT_LIFECYCLE,
};

enum rule_kind { RULE_MESSAGE, RULE_SPAN, RULE_LIFECYCLE, RULE_TRACE /* record/trace.h */ };

/* Which send a receive of a message belongs to. */
enum rule_match {
	MATCH_FIRST,			/* the first with the id */
	MATCH_NTH,			/* the first receive to the first send with the id, the second to the second */
	MATCH_STREAM,			/* the one that sent the last of its bytes on the channel ID */
};

/* A regular expression with the group "id"; the usual kind of it is matched by hand. */
struct pattern {
	struct regex *regex;
	int id, parent, len, from;	/* groups; -1 for none */
	char *before, *after;		/* what stands around the id; BEFORE alone rules lines out */
	size_t before_len, after_len;
	bool simple;			/* BEFORE, bytes of CLASS, AFTER: that is all */
	bool class[256];
};

struct rule {
	char *name;
	char *where;			/* FILE:LINE of its section */
	enum rule_kind kind;
	char **formats;			/* of the sources that it is for; NULL for all */
	struct pattern *send, *recv;	/* of a lifecycle: stop and start; of a span: end, or NULL, and begin */
	enum rule_match match;
	char *id_path;			/* of a message: the JSON member that is the id; NULL: the group */
	struct pattern *open;		/* of a stream: the record that begins the channel; or NULL */
	struct pattern *belongs;	/* of a lifecycle: records of the incarnation; or NULL */
	bool started;			/* of a lifecycle: the entity is started before the first record of it */
	char *entity;			/* a lifecycle's: text with ${source}, ${emitter}, ${GROUP} */
	int64_t within_ns;
	bool learned;			/* it was found in data, not written by a person */
};

struct rules {
	struct rule *v;
	size_t n;
};

enum constraint_kind {
	CONSTRAINT_SEND,		/* others may need ID */
	CONSTRAINT_NEED,		/* ID must have been sent */
	CONSTRAINT_CLOCK_SET,		/* the clock ID has reached N with this record */
	CONSTRAINT_CLOCK_NEED,		/* the clock ID must have reached N */
	CONSTRAINT_SEQUENCE,		/* record N of the sequence ID */
	CONSTRAINT_MONO,		/* the monotonic clock of the boot ID shows N us */
	CONSTRAINT_CHILD,		/* the span ID has a child; N is the id that its end sends */
	CONSTRAINT_END,		/* of the span ID: behind the ends of its children */
	CONSTRAINT_SPAN_END,		/* clocks alone: the span ID ends N ns after the record */
	CONSTRAINT_CHILD_END,		/* clocks alone: a child that the span ID waits for ends N ns after the record */
	CONSTRAINT_STOP, CONSTRAINT_START,	/* of the incarnation of ID */
	CONSTRAINT_BELONGS,		/* to the incarnation of ID that is started */
	CONSTRAINT_NTH_SEND,		/* one more with ID; N: as far apart are a send and its receive at most */
	CONSTRAINT_NTH_RECV,		/* the receive of the next of them */
	CONSTRAINT_STREAM_OPEN,		/* the channel ID begins; N as above */
	CONSTRAINT_STREAM_SEND,		/* N bytes more, or up to the byte N where ABSOLUTE, on the channel ID */
	CONSTRAINT_STREAM_RECV,
	CONSTRAINT_KINDS,		/* how many there are; a kind of causal/kind may have others, from here on */
};

struct constraint {
	uint64_t id;
	int64_t n;
	uint8_t what, class;
	uint16_t rule;
	bool sparse;		/* of CONSTRAINT_SEQUENCE: the sequence has holes that are no gaps */
	bool own;		/* of CONSTRAINT_SEQUENCE: it has no id, and may begin anew */
	bool started;		/* of a lifecycle: before the first record of it */
	bool absolute;		/* of a stream: N counts from its beginning */
	bool soft;		/* of a need or receive: nothing is said where ID is sent by no record */
};

struct constraints {
	struct constraint *v;
	size_t n, cap;
};

/* The rules of rules.d, the configuration's and the vendor's; with FILE only those of it. */
int rules_load(struct rules *rs, const char *file, struct fail *f);
int rules_parse(struct rules *rs, const char *file, const char *text, size_t len, struct fail *f);
void rules_release(struct rules *rs);

/* Is the rule for sources of the format? */
bool rule_is_for(const struct rule *r, const struct format *fmt);

/* Is the entity of a lifecycle part of one source? */
bool rule_is_of_source(const struct rule *r);

/* One more of OUT, which mostly has but one; its rule is none. */
static inline struct constraint *
constraints_add(struct constraints *out, enum constraint_kind what, enum constraint_class class, uint64_t id)
{
	struct constraint *e;

	if (out->n == out->cap) {
		out->cap = out->cap ? out->cap * 2 : 1;
		out->v = xrealloc(out->v, out->cap, sizeof *out->v);
	}
	e = &out->v[out->n++];
	*e = (struct constraint){ .id = id, .what = (uint8_t)what, .class = (uint8_t)class, .rule = UINT16_MAX };
	return e;
}

/* The edges of the format's own clocks; FIELDS are those of the record. */
void rule_clocks(const struct source *s, const struct fields *fields, struct constraints *out);

/* The boot of a record, and what its monotonic clock shows; false where it has none. */
bool rule_boot(const struct fields *fields, uint64_t *boot, int64_t *us);

/* The sequence of numbers in S that name none. */
uint64_t rule_own_sequence(const struct source *s);

/* The id of "clock or sequence ID has reached N". */
uint64_t rule_tick_id(uint64_t id, int64_t n);

#endif
