/*
 * jsontext - JSON handled as text, where to have it as values would cost too much.
 *
 * A long array is split into the texts of its elements, so that each can be
 * parsed (base/json.h), looked at and forgotten while it is in the cache.
 * Nothing here decides what is JSON; that is libjq's.
 */
#ifndef BASE_JSONTEXT_H
#define BASE_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

enum { JSONTEXT_DEPTH_MAX = 256 };

/*
 * Is TEXT what the toolkit takes at all: UTF-8, without a NUL, nested at most
 * 256 deep?  F says what is wrong, after NAME and a colon (NULL for no name):
 * EXIT_USAGE.
 */
int jsontext_check(const char *name, const char *text, size_t len, struct fail *f);

struct jsontext_split {
	const char *text;	/* borrowed */
	size_t len;
	uint32_t *starts;	/* of each element, and the END; each is behind a comma or bracket */
	size_t n, cap, end;
};

#define JSONTEXT_SPLIT_INIT	{ NULL, 0, NULL, 0, 0, 0 }

/*
 * The elements of the array that is the member KEY of the object TEXT, which
 * was found right by jsontext_check() and is less than 2 GiB.  False where it
 * cannot be told from the text alone; S then holds nothing.  Where it is true
 * all but the elements is known to be right, and they only need be parsed.
 */
bool jsontext_split(const char *text, size_t len, const char *key, struct jsontext_split *s);
void jsontext_split_release(struct jsontext_split *s);

/* The I-th element's text, perhaps with blanks around it. */
static inline const char *
jsontext_element(const struct jsontext_split *s, size_t i, size_t *len)
{
	*len = s->starts[i + 1] - s->starts[i] - 1;
	return s->text + s->starts[i];
}

/*
 * TEXT, which is one JSON value, without its blanks, added to OUT: what
 * json_format() would print, but for a name that stands twice in an object.
 * False, and OUT as before, where it would print something else: an escape,
 * a fraction.
 */
bool jsontext_compact(const char *text, size_t len, struct buf *out);

struct jsontext_member {
	const char *key, *value;	/* the key without its quotes; the value as it stands */
	size_t key_len, value_len;
};

/*
 * The members of TEXT, an object that jsontext_compact() made, into M; returns
 * how many.  -EOPNOTSUPP where they are more than MAX, or where a name may
 * stand twice, in TEXT or in an object in it: that is for base/json.h.
 */
int jsontext_members(const char *text, size_t len, struct jsontext_member m[], int max);

#endif
