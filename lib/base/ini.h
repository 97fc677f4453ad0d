/*
 * ini - configuration text: sections, "key = value", comments.
 *
 *	# a comment, only at the start of a line; so is ;
 *	[section]
 *	key = the value up to the end of the line ; and this too
 *	    a line that begins with a blank continues the value (a newline joins them)
 *
 * Blanks around names and values are dropped.  A key before any section, a
 * section not closed, a line without "=", a NUL byte and invalid UTF-8 are
 * errors: EXIT_USAGE, with file and line.
 */
#ifndef BASE_INI_H
#define BASE_INI_H

#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"

struct ini_entry {
	const char *file;	/* as given, for messages */
	int line;		/* where the key stands, from 1 */
	const char *section;	/* its name; borrowed for the call */
	const char *key;	/* NULL where a section begins */
	const char *value;
};

/* Returns 0, or an error with F filled: ini_bad(). */
typedef int ini_fn(const struct ini_entry *e, void *cookie, struct fail *f);

/* Hand every section and key of the LEN bytes of TEXT to FN; stops at its first error. */
int ini_parse(const char *file, const char *text, size_t len, ini_fn *fn, void *cookie,
    struct fail *f);

/* "FILE:LINE: MESSAGE", EXIT_USAGE; for an ini_fn to return. */
int ini_bad(const struct ini_entry *e, struct fail *f, const char *fmt, ...) PRINTF(3, 4);

/*
 * "key 'K' is not known in [S]", or for a section "section [S] is not known",
 * with a hint: KNOWN are the words that would be, a blank between; NULL for none
 * to name.
 */
int ini_unknown(const struct ini_entry *e, const char *known, struct fail *f);

/* E's value as a duration, a yes or no, or one of WORDS (NULL-terminated; its index). */
int ini_duration(const struct ini_entry *e, int64_t *ms, struct fail *f);
int ini_bool(const struct ini_entry *e, int *yes, struct fail *f);
int ini_word(const struct ini_entry *e, const char *const *words, int *index, struct fail *f);

#endif
