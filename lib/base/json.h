/*
 * json - JSON values, by libjq.
 *
 * A struct json is a value with its reference; it may be passed and stored as
 * it is.  Functions borrow their arguments unless they say that they take
 * them, and what they return is the caller's: json_release() it once, or give
 * it to a function that takes it.  Numbers are doubles.  A value that is not
 * there has the kind JSON_NONE and needs no release.
 *
 * Text from outside must be UTF-8 and nested at most 256 deep; of two members
 * with one name the last wins.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

struct json {
	uint64_t opaque[2];	/* libjq's jv */
};

enum json_kind {
	JSON_NONE, JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY,
	JSON_OBJECT,
};

#define _cleanup_json_	__attribute__((cleanup(json_release)))

/* Not there; for the initialisation of a local with _cleanup_json_. */
#define JSON_ABSENT	((struct json){ { 0, 0 } })

/*
 * The one value that the LEN bytes of TEXT are; blanks around it are allowed.
 * F says what is wrong, after NAME and a colon (NULL for no name): EXIT_USAGE.
 */
int json_parse(const char *name, const char *text, size_t len, struct json *out, struct fail *f);

/* The same for a text that jsontext_check() found right, or for a part of one. */
int json_parse_checked(const char *name, const char *text, size_t len, struct json *out,
    struct fail *f);

/* A file as file_load() reads it, parsed. */
int json_load(const char *path, int file_flags, size_t max, struct json *out, struct fail *f);

/* V becomes JSON_ABSENT. */
void json_release(struct json *v);
struct json json_copy(struct json v);

enum json_kind json_kind(struct json v);
bool json_is_object(struct json v);
const char *json_kind_name(struct json v);	/* "a number", "an array", ... */
bool json_equal(struct json a, struct json b);

struct json json_null(void);
struct json json_bool(bool yes);
struct json json_number(double n);
struct json json_string(const char *s);		/* invalid UTF-8 in it becomes U+FFFD */
struct json json_string_n(const char *s, size_t len);
struct json json_array(void);
struct json json_object(void);

/* A string's bytes, borrowed as long as V lives; NULL where it is no string. */
const char *json_get_string(struct json v);
size_t json_string_len(struct json v);		/* they may hold NUL */
double json_get_number(struct json v);		/* 0 where it is none */

/* A number as a whole one, at most 2^53 either way: what a double holds exactly. */
bool json_get_whole(struct json v, int64_t *out);	/* false where it is none; *OUT is then 0 */

/* An array's element, an object's member; JSON_NONE where there is none. */
size_t json_count(struct json v);		/* of elements, of members; else 0 */
struct json json_at(struct json array, size_t i);
struct json json_get(struct json object, const char *key);

/* The I-th element, taken out: null is left in its place.  What is alone is changed without a copy. */
struct json json_take_at(struct json *array, size_t i);

/* OBJECT's string member KEY, borrowed as long as OBJECT lives unchanged; NULL for none. */
const char *json_get_text(struct json object, const char *key);

/* Overwrite the bytes of OBJECT's string member KEY, which is a secret that is needed no longer. */
void json_wipe(struct json object, const char *key);

/* Take VALUE (and change *V in place). */
void json_append(struct json *array, struct json value);
void json_set(struct json *object, const char *key, struct json value);
void json_set_text(struct json *object, const char *key, const char *text);
void json_remove(struct json *object, const char *key);

/*
 * for (struct json_iter it = json_begin(v); json_next(&it); ) ... it.key, it.value
 * KEY and VALUE are borrowed until the next step; a loop left early calls json_end().
 */
struct json_iter {
	struct json object, value, key_value;
	const char *key;
	int at;
};
struct json_iter json_begin(struct json object);
bool json_next(struct json_iter *it);
void json_end(struct json_iter *it);

/* Compact text, as jq -c prints it, added to OUT. */
void json_format(struct json v, struct buf *out);

/* Compact, a newline after it, written to stdout (stdio). */
void json_print(struct json v);

/*
 * Where FD is a terminal, have escapes for what JSON lets stand in TEXT and a
 * terminal obeys, see base/utf8.h.
 */
void json_tame(int fd, struct buf *text);

/* A jq program: NULL with F filled (EXIT_USAGE) where it does not compile. */
struct json_filter;
struct json_filter *json_filter_new(const char *program, struct fail *f);
void json_filter_free(struct json_filter *p);

/* Its first output for V, JSON_NONE where it has none; < 0 where it fails. */
int json_filter_first(struct json_filter *p, struct json v, struct json *out, struct fail *f);

/* 1 where its first output for V is neither false nor null, 0 where it is or there is none, < 0 where it fails. */
int json_filter_test(struct json_filter *p, struct json v, struct fail *f);

#endif
