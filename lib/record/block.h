/*
 * block - a run of records of one source, decoded: their bytes, sort keys,
 * fields and constraints.
 *
 * A block owns its bytes.  block_decode() fills a block from its source; after
 * that the block does not change until it is released, so it may be read by
 * any thread.  A record longer than RECORD_MAX bytes is several descriptors: the
 * first has RECORD_MORE set, those that follow have RECORD_PIECE, and all but
 * the last have RECORD_MORE.  They may spread over several blocks of the source,
 * which keeps a line of any length within a few megabytes of memory.
 *
 * The struct is open because a merge reads one descriptor a record: a call for
 * each would cost as much as the rest of the merge.
 *
 * Units: times in ns since 1970 UTC with the offset of the source's clock taken
 * off; offsets in bytes from the first byte of the source.
 */
#ifndef RECORD_BLOCK_H
#define RECORD_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/format.h"
#include "record/rule.h"
#include "record/source.h"

enum {
	RECORD_INHERITED = 1,	/* it has no time of its own */
	RECORD_MORE = 2,	/* pieces of the same record follow */
	RECORD_PIECE = 4,	/* it goes on with the record before it */
	RECORD_PARTIAL = 8,	/* its end was not found in time */
};

struct descriptor {
	int64_t t;		/* sort key: time in ns */
	uint32_t at;		/* where it begins in BYTES */
	uint32_t n : 28, flags : 4;
};

/* A field of a record: N bytes at BYTES + AT; N is UINT32_MAX where the record has no such field. */
struct block_field {
	uint32_t at, n;
};

struct block {
	struct block *next;	/* of the source, while queued; the owner's otherwise */
	char *bytes;
	int64_t base;		/* offset of BYTES[0] in the source */
	int64_t line;		/* newlines in the source before the first record, if LINES was asked for */
	uint32_t *lines;	/* of each record: newlines between the first one and it; NULL unless LINES was asked for */
	struct descriptor *v;
	size_t n;
	int64_t res;		/* resolution of all records, unless RESOLUTIONS is set */
	int64_t *resolutions;	/* one a record; or NULL */
	struct domain **domains;	/* of each record; NULL where all are the source's */
	struct block_field (*fields)[FIELD_N];	/* of each record; NULL unless the decoder was asked for them */
	uint32_t *first;	/* N + 1: record I has CONSTRAINTS[FIRST[I]..FIRST[I+1]); NULL without a matcher */
	struct constraint *constraints;
	struct event_meta *meta;	/* one a record; NULL for a source without event metadata */
	int64_t arrived_ms;	/* when it was published, monotonic */
	unsigned pins;		/* see cursor_pin() */

	/* Room, kept when the block is used again. */
	size_t cap_bytes, cap, cap_res, cap_first, cap_fields, cap_meta, cap_domains, cap_lines;
	struct domain **domain_room;
	struct constraints store;
};

/* What block_decode() adds to the sort keys. */
struct block_spec {
	struct matcher *matcher;	/* NULL: no constraints by rules */
	bool fields;			/* the format's fields */
	bool lines;			/* count lines */
	bool clocks;			/* constraints by the format's own clocks and sequences */
	size_t bytes;			/* of a block, about */
};

struct block *block_new(void);
void block_free(struct block *b);

/*
 * Decode the next records of S into B, whose content is lost.  Returns 1; 0 at
 * the end of the source; -EAGAIN where nothing is there yet (a live or
 * non-blocking source).  S is read only by block_decode() from the first call on.
 */
int block_decode(struct block *b, struct source *s, const struct block_spec *spec);

/* Record number I of B as the merge sees it; the bytes are borrowed from B. */
void block_record(const struct block *b, size_t i, struct record *r);

/* Its fields, as format_fields() gives them. */
void block_fields(const struct block *b, size_t i, struct fields *out);

static inline int64_t
block_resolution(const struct block *b, size_t i)
{
	return b->resolutions ? b->resolutions[i] : b->res;
}

/* The clock domain of record I of B, which is of S; NULL where S has none. */
static inline const struct domain *
block_domain(const struct block *b, size_t i, const struct source *s)
{
	return b->domains ? b->domains[i] : s->domain;
}

/* The line that record number I of B, which was decoded with LINES, begins on; the first is 1. */
static inline int64_t
block_line(const struct block *b, size_t i)
{
	return b->line + b->lines[i] + 1;
}

/* Does the format have clocks, sequences or boots, so that CLOCKS is of use? */
bool block_has_clocks(const struct format *fmt);

#endif
