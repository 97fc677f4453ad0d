/*
 * json - JSON values: read, built, changed, compared and written.
 *
 * The reader and the writer are base/jsontext.h, which says what is accepted.
 * Of two members with one name the last one wins, at the place of the first.
 * Members stay in the order in which they were read or set.  A number keeps
 * its spelling from json_parse() to json_format().
 *
 * A struct json is a value with its reference; it may be passed and stored as
 * it is.  Functions borrow their arguments unless they say that they take
 * them, and what they return is the caller's: json_release() it once, or give
 * it to a function that takes it.  Values are shared and copied when one of
 * several references changes them; they belong to one thread.  A value that is
 * not there has the kind JSON_NONE and needs no release.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

/* Open so that values can be passed without allocation; only json.c looks inside. */
struct json {
	uint32_t kind;		/* enum json_kind */
	uint32_t len;		/* of a number that fits into DIGITS; else 0 */
	union {
		char digits[8];
		struct json_text *text;
		struct json_array *array;
		struct json_object *object;
	};
};

enum json_kind {
	JSON_NONE, JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY,
	JSON_OBJECT,
};

#define _cleanup_json_	__attribute__((cleanup(json_release)))

/* Not there; for the initialisation of a local with _cleanup_json_. */
#define JSON_ABSENT	((struct json){ .kind = 0 })

/*
 * The one value that the LEN bytes of TEXT are; blanks around it are allowed.
 * F says what is wrong, after NAME and a colon (NULL for no name): EXIT_USAGE.
 */
int json_parse(const char *name, const char *text, size_t len, struct json *out, struct fail *f);

/* A file as file_load() reads it, parsed. */
int json_load(const char *path, int file_flags, size_t max, struct json *out, struct fail *f);

/* V becomes JSON_ABSENT. */
void json_release(struct json *v);
struct json json_copy(struct json v);

enum json_kind json_kind(struct json v);
bool json_is_object(struct json v);
const char *json_kind_name(struct json v);	/* "a number", "an array", ... */

/* Numbers are equal where their values are: 1, 1.0 and 10e-1; objects in any order of members. */
bool json_equal(struct json a, struct json b);

struct json json_null(void);
struct json json_bool(bool yes);
struct json json_number(double n);		/* the shortest spelling; null where N is no finite number */
struct json json_number_text(const char *spelling, size_t len);	/* which must be a JSON number */
struct json json_string(const char *s);		/* invalid UTF-8 in it becomes U+FFFD */
struct json json_string_n(const char *s, size_t len);
struct json json_array(void);
struct json json_object(void);

/* A string's bytes, borrowed as long as V lives; NULL where it is no string. */
const char *json_get_string(struct json v);
size_t json_string_len(struct json v);		/* they may hold NUL */

/* The nearest double; 0 where V is no number. */
double json_get_number(struct json v);

/* A number as it was spelled, added to OUT; nothing where V is none. */
void json_get_spelling(struct json v, struct buf *out);

/* A whole number, however spelled, of at most 2^53 either way; false where V is none, *OUT is then 0. */
bool json_get_whole(struct json v, int64_t *out);

/* An array's element, an object's member; JSON_NONE where there is none. */
size_t json_count(struct json v);		/* of elements, of members; else 0 */
struct json json_at(struct json array, size_t i);
struct json json_get(struct json object, const char *key);

/* The I-th element, taken out: null is left in its place.  An array with one reference is changed without a copy. */
struct json json_take_at(struct json *array, size_t i);

/* OBJECT's member KEY where that is a whole number, as json_get_whole() has it, else OTHERWISE. */
int64_t json_get_whole_or(struct json object, const char *key, int64_t otherwise);

/* The same where the number is above 0, else 0. */
int64_t json_get_positive(struct json object, const char *key);

/* OBJECT's string member KEY, borrowed as long as OBJECT lives unchanged; NULL for none, and for one with a NUL in it. */
const char *json_get_text(struct json object, const char *key);

/* The same, copied to OUT of N bytes; OUT is empty where there is none, and where it does not fit. */
void json_copy_text(struct json object, const char *key, char *out, size_t n);

/* Overwrite the bytes of OBJECT's string member KEY, which is a secret that is needed no longer. */
void json_wipe(struct json object, const char *key);

/* Take VALUE (and change *V in place). */
void json_append(struct json *array, struct json value);
void json_set(struct json *object, const char *key, struct json value);
void json_set_text(struct json *object, const char *key, const char *text);
void json_remove(struct json *object, const char *key);

/*
 * for (struct json_iter it = json_begin(v); json_next(&it); ) ... it.key, it.value
 * KEY and VALUE are borrowed until json_end(), which json_next() calls at the end; a loop
 * that is left early calls it.  OBJECT may be changed meanwhile: the loop sees it as it was.
 */
struct json_iter {
	struct json object, value;
	const char *key;
	size_t at;
};
struct json_iter json_begin(struct json object);
bool json_next(struct json_iter *it);
void json_end(struct json_iter *it);

/* Compact text, as base/jsontext.h has it, added to OUT. */
void json_format(struct json v, struct buf *out);

/* Compact, a newline after it, written to stdout (stdio). */
void json_print(struct json v);

/*
 * Where FD is a terminal, escape in TEXT the characters that JSON allows and a
 * terminal obeys, see base/utf8.h.
 */
void json_sanitize(int fd, struct buf *text);

#endif
