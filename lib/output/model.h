/*
 * model - the event model: what a picture shows of each record that is printed: its
 * emitter, its text, and the earlier records that it follows.
 *
 * Which records it follows is what the merge says of it (causal/relation.h): the
 * model draws what decided, and has no rules of its own.  The last MODEL_REMEMBERED
 * records are remembered; a record that needs an older one has no arrow.
 */
#ifndef OUTPUT_MODEL_H
#define OUTPUT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output/render.h"
#include "record/rule.h"

enum { MODEL_REMEMBERED = 1 << 18 };	/* events that can still be pointed at: more than any picture holds */

/* An emitter: a source, or one of those whose records a source holds. */
struct emitter {
	char *name;
	char *source;			/* the name of what holds its records */
	bool unordered;			/* one record does not follow the one before it (order=none) */
	const struct format *format;	/* of what holds its records */
	uint64_t id;
	bool stopped;			/* by a lifecycle's rule, as of the last event */
};

struct arrow {
	uint64_t from;			/* the other event's serial */
	unsigned emitter;		/* of the other event */
	int64_t t;			/* and when, in ns */
	uint8_t class;			/* enum constraint_class */
	bool back;			/* FROM should stand behind this one, and does not */
	bool learned;			/* the rule was */
	const char *rule;		/* its name, NULL for a clock */
	struct span id;			/* of the message or span, as this event has it; P NULL for none, and without ALL */
};

struct event {
	uint64_t serial;		/* from 0 on, in the order of output */
	int64_t line;			/* of its source; 0 where lines are not counted */
	unsigned emitter;
	int64_t t;			/* ns since 1970 */
	bool inherited;			/* that is not its own */
	int64_t moved_ns;		/* how much later than T it stands */
	const char *mark;		/* NULL for none */
	int level;			/* format_level(); -1 for none */
	bool stop;			/* its emitter is gone after it */
	struct span text;		/* its first line without time and emitter */
	struct span raw;		/* all of it, but for the last newline */
	unsigned more;			/* lines behind the first */
	const struct arrow *arrows;	/* from other emitters, one a record */
	size_t n_arrows;
	size_t n_constraints;		/* behind these, with the model's ALL, the other constraints but program order */
};

struct model {
	const struct rules *rules;
	bool all;			/* tell all constraints, with their ids */
	struct emitter *emitters;
	unsigned n_emitters;
	struct memory *memory;
};

/* RULES is borrowed. */
struct model *model_new(const struct rules *rules);
void model_free(struct model *t);

/* The N bytes of P, X's record, as an event with X's relations; what it points to is borrowed until the next. */
void model_record(struct model *t, const struct shown *x, const char *p, size_t n, struct event *e);

/* The word for a class of constraints: "message". */
const char *model_class_name(uint8_t class);

/* "[late, moved 1.2 s]" into OUT, or nothing. */
void model_marks(const struct event *e, struct buf *out);

/* "message requests after watch, 4.1 ms": how it is known that A leads to E. */
void model_reason(const struct model *t, const struct event *e, const struct arrow *a, struct buf *out);

#endif
