/*
 * jsontext - JSON (RFC 8259) as text: tokens, escapes, and the compact form.
 *
 * What the toolkit accepts is narrower than what libraries accept.  A text must
 * be UTF-8 and nested at most 256 deep.  A lone surrogate (\ud800), a NUL in a
 * member's name (\u0000) and a control character that is not escaped are
 * errors, because programs differ in what they make of them.  A byte order mark
 * before the first token is skipped.
 *
 * The compact form has no blanks, and strings with the escapes that jq writes.
 * Numbers keep their spelling: 0.1000 and 12345678901234567890 stay as they are.
 */
#ifndef BASE_JSONTEXT_H
#define BASE_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

enum { JSONTEXT_DEPTH_MAX = 256 };

enum jsontext_kind {
	JSONTEXT_END,			/* of the value, and of the text */
	JSONTEXT_NULL, JSONTEXT_FALSE, JSONTEXT_TRUE, JSONTEXT_NUMBER, JSONTEXT_STRING,
	JSONTEXT_ARRAY, JSONTEXT_ARRAY_END, JSONTEXT_OBJECT, JSONTEXT_OBJECT_END,
	JSONTEXT_KEY,			/* a member's name; the tokens of its value follow */
};

struct jsontext_token {
	enum jsontext_kind kind;
	bool plain;		/* the bytes of a string or name stand for themselves, read and written */
	const char *p;		/* a number's digits; a string's bytes between the quotes */
	size_t n;
};

/* Where reading has got to; set up by jsontext_begin(). */
struct jsontext_reader {
	const char *text, *p, *end;
	int state;
	int depth;
	uint8_t is_object[JSONTEXT_DEPTH_MAX];	/* of each value that is open */
	const char *error;	/* what was found instead of a token, and where (P) */
};

/* Read the LEN bytes of TEXT, which stay the caller's and must outlive R. */
void jsontext_begin(struct jsontext_reader *r, const char *text, size_t len);

/*
 * The next token into T.  False where the text is not what the toolkit accepts;
 * jsontext_fail() then tells why.
 */
bool jsontext_next(struct jsontext_reader *r, struct jsontext_token *t);

/*
 * Fill F (EXIT_USAGE) with the error that R stopped at: "NAME: is not JSON: REASON at
 * line L, column C", without NAME where that is NULL and without the line where the
 * text has only one.  Columns count bytes from 1.
 */
int jsontext_fail(const struct jsontext_reader *r, const char *name, struct fail *f);

/* The N bytes of a token that is not plain, with its escapes resolved, added to OUT. */
void jsontext_unescape(const char *p, size_t n, struct buf *out);

/* The N bytes of S, which are UTF-8, as a string with its quotes, added to OUT. */
void jsontext_quote(const char *s, size_t n, struct buf *out);

/*
 * TEXT, one JSON value, in its compact form, added to OUT.  A name that an
 * object has twice stays there twice.  OUT is unchanged where F is filled.
 */
int jsontext_compact(const char *name, const char *text, size_t len, struct buf *out, struct fail *f);

/* Offsets in TEXT: element I is from STARTS[I] to one byte before STARTS[I + 1]. */
struct jsontext_split {
	const char *text;	/* borrowed */
	uint32_t *starts;	/* N + 1 of them */
	size_t n, cap;
};

#define JSONTEXT_SPLIT_INIT	{ NULL, NULL, 0, 0 }

/*
 * The elements of the array that is the member KEY of the object TEXT, which is
 * in its compact form and less than 4 GiB.  False where TEXT is no object, has no such
 * member or has it twice, or where that member is no array; S then holds nothing.
 */
bool jsontext_split(const char *text, size_t len, const char *key, struct jsontext_split *s);
void jsontext_split_release(struct jsontext_split *s);

static inline const char *
jsontext_element(const struct jsontext_split *s, size_t i, size_t *len)
{
	*len = s->starts[i + 1] - s->starts[i] - 1;
	return s->text + s->starts[i];
}

struct jsontext_member {
	const char *key, *value;	/* the key without its quotes; the value in its compact form */
	size_t key_len, value_len;
};

/*
 * The members of TEXT, an object in its compact form, into M; returns how many.
 * -EOPNOTSUPP where there are more than MAX, where a name has an escape, or where
 * an object in TEXT may have a name twice: only base/json.h tells what such a text means.
 */
int jsontext_members(const char *text, size_t len, struct jsontext_member m[], int max);

#endif
