/*
 * num - numbers, sizes and durations as people write them.
 *
 * All of the text must be the number: no blanks, no sign where none is
 * allowed, nothing after it, and not empty.
 * Errors: -EINVAL where the text is no number, -ERANGE where it is outside
 * the bounds; *OUT is then untouched.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdint.h>

/* Decimal, LO <= *OUT <= HI. */
int num_parse(const char *s, int64_t lo, int64_t hi, int64_t *out);

/* "250ms", "5s", "2m", "1h", "1d"; the unit is required.  *MS is in milliseconds. */
int num_parse_duration(const char *s, int64_t *ms);

/* "512", "64K", "16M", "1G" (powers of 1024).  *BYTES is in bytes. */
int num_parse_size(const char *s, int64_t *bytes);

/* "yes", "true", "1", "on" and "no", "false", "0", "off", as systemd.syntax(7). */
int num_parse_bool(const char *s, int *yes);

#endif
