/*
 * jsonl - a record as one line of JSON, the "log record" of rejoin(7).
 *
 * It is written straight into the output buffer.  A record of more than
 * RECORD_MAX bytes passes through in pieces.
 *
 *	{"time":T,"source":S,"emitter":E,"level":L,"incarnation":I,"text":X,"edges":[...],"mark":M,"moved_ms":N}
 *
 * "time", "emitter", "level" and "incarnation" are there only where they are
 * known.  A text that is not UTF-8 is "text_b64" instead.  Of a record of more
 * than RECORD_MAX bytes whose first invalid byte comes late, "text" holds what
 * stands before that byte and "text_b64" the rest.
 */
#ifndef OUTPUT_JSONL_H
#define OUTPUT_JSONL_H

#include "base/clock.h"
#include "output/writer.h"
#include "record/source.h"

struct shown;

/* What lines share; zero it. */
struct jsonl {
	int64_t second;		/* of the last time, and its text up to the point */
	char text[CLOCK_TEXT];
	size_t n_text;
	struct span *names;	/* by rank: the member "source" of each, P NULL before the first use */
	unsigned n_names;
};

void jsonl_release(struct jsonl *j);

/* The line of X, whose further pieces come from S. */
void jsonl_record(struct jsonl *j, struct writer *w, struct source *s, const struct shown *x);

#endif
