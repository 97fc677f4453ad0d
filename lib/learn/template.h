/*
 * template - kinds of records, and the values in them.
 *
 * The template of a record is its text with the values taken out.  A value is a
 * word with a digit in it: letters, digits and "_.:@-", without "." ":" "-" "@" at
 * its ends, and behind "NAME:".  Records of one template are of one kind.
 *
 * Of a JSON object each member is a place for a value, by its path.  A member whose
 * values are few and have no digit ("type":"ping") is part of the template, and so is
 * the template of a text of several words.  A member that holds an object is a value
 * too, so that a whole message that is embedded in a record is found.
 *
 *	slot	a place for a value in a kind of records
 *
 * In text, what stands behind "NAME=" is a value also without a digit if it varies.
 * Text of logfmt is text: "id=17" is the template "id=" with a slot.
 *
 * Kinds and slots are numbered from 0 on in the order in which they come up, at most
 * TEMPLATE_KINDS and TEMPLATE_SLOTS; records of kinds beyond are counted, and have no
 * values.
 */
#ifndef LEARN_TEMPLATE_H
#define LEARN_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/format.h"

enum { TEMPLATE_KINDS = 20000, TEMPLATE_SLOTS = 100000, TEMPLATE_VALUES = 48 /* of a record */ };

struct templates;

struct template_value {
	uint32_t slot;
	uint64_t hash;		/* of its bytes, the same in each run; never 0 */
	bool number;		/* digits alone, or with what stands in dates */
	uint32_t low;		/* of a number: its last digits */
};

struct templates *templates_new(void);
void templates_free(struct templates *t);

/*
 * A member of JSON, or a name before "=", is part of templates if its values, in the records that
 * templates_sample() was told of, are few.  Call it for some records, then
 * templates_settle(), before the first templates_read().
 */
void templates_sample(struct templates *t, const struct format *fmt, struct span text);
void templates_settle(struct templates *t);

/*
 * The values of TEXT, a record of FMT without its time, into V, which has room for
 * TEMPLATE_VALUES: how many.  BEFORE is how many bytes of the record stand before TEXT.
 */
unsigned templates_read(struct templates *t, const struct format *fmt, struct span text, size_t before,
    struct template_value *v);

/* Records that were left out because there were too many kinds. */
int64_t templates_left_out(const struct templates *t);

unsigned templates_slots(const struct templates *t);

/* The kind of a slot. */
uint32_t templates_kind_of(const struct templates *t, uint32_t slot);

/* A regular expression for the records of the kind of SLOT, with the value in SLOT as the group "id", added to OUT. */
void templates_pattern(const struct templates *t, uint32_t slot, struct buf *out);

/* The kind of SLOT for people: its template, with "*" for values and "<id>" for that of SLOT, added to OUT. */
void templates_describe(const struct templates *t, uint32_t slot, struct buf *out);

/* A hash of bytes that is the same in each run. */
uint64_t template_hash(uint64_t seed, const char *p, size_t n);

#endif
