/*
 * render - records on their way out.
 *
 * As text a record is its bytes, with a prefix where one is wanted, and a
 * newline only between records where the first has none.  As JSON it is an
 * object a line, as in rejoin(7).  What is written goes through one buffer.
 * Errors: the first failure to write is kept in ERROR, a negative errno, and
 * nothing is written after it.
 */
#ifndef OUTPUT_RENDER_H
#define OUTPUT_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "causal/relation.h"
#include "output/jsonl.h"
#include "output/text.h"
#include "output/writer.h"
#include "record/source.h"

struct shown;

/*
 * Draws records instead of printing them (output/picture.h): the N bytes of P
 * are those of X, of a long record the first piece; what there is to print by
 * now is added to OUT.
 */
struct render_artist {
	void (*record)(struct render_artist *a, const struct shown *x, const char *p, size_t n, struct buf *out);
	void (*flush)(struct render_artist *a, struct buf *out);
};

enum render_stamp { STAMP_NONE, STAMP_UTC, STAMP_LOCAL };

struct render_style {
	bool json;
	enum render_stamp stamp;	/* the corrected time before each record */
	bool prefix;		/* the source's name before each record */
	bool colour;
	bool escape;		/* what a terminal would obey, see base/utf8.h */
	bool explain;		/* a line with the reason before each record */
	bool lines;		/* the line of each record in its source is wanted */
	unsigned name_width;
	unsigned long last;	/* only the last so many records; 0 for all */
	struct render_artist *artist;	/* minds LAST itself; NULL for none */
};

/* A record to be written, and what the merge says about it. */
struct shown {
	const struct source *source;
	const struct record *record;
	const struct fields *fields;	/* the format's; NULL: the output finds them where it needs them */
	const char *mark;	/* NULL for none */
	const char *why;	/* for explain and JSON: the constraints, a line each; NULL for nothing but its time */
	int64_t moved_ns;	/* how much later than its time it stands */
	int64_t line;		/* of the source; 0 where lines are not counted */
	int64_t where;		/* for pictures: by which relations name it, and its own relations */
	const struct relation *relations;
	size_t n_relations;
};

struct render {
	struct writer w;
	bool torn;		/* the last byte is no newline */
	bool line_buffered;	/* each record is written as soon as it is known */
	const struct render_style *style;	/* NULL for bytes alone */
	struct jsonl jsonl;
	struct text_output text;
	struct writer *last;	/* a ring buffer of STYLE->last records */
	unsigned long shown;	/* records that went into it */
};

/* Write to FD; -1: the bytes stay in the writer's buffer. */
void render_init(struct render *r, int fd, const struct render_style *style);
void render_release(struct render *r);

/* A source's name, or what holds one: for a TERMINAL, what it would obey is escaped, newlines too. */
void render_name(struct buf *out, const char *text, bool terminal);

/* Returns when all is written; with LAST, that is the end. */
void render_flush(struct render *r);

/* With LAST: write them now, and from here on all. */
void render_end_last(struct render *r);

/* The record and, from its source, its further pieces. */
void render_record(struct render *r, struct source *s, const struct shown *x);

/* A line {"watermark":TIME} among JSON records: all that follow have a time later than NS. */
void render_watermark(struct render *r, int64_t ns);

/* All that CHUNK, whose bytes stayed in its buffer, holds. */
void render_chunk(struct render *r, const struct render *chunk);

/* The bytes of a record, or of a piece of it that follows. */
static inline void
render_bytes(struct render *r, const char *p, size_t n, bool piece)
{
	if (r->torn && !piece)
		writer_put(&r->w, "\n", 1);
	writer_put(&r->w, p, n);
	if (n)
		r->torn = p[n - 1] != '\n';
}

#endif
