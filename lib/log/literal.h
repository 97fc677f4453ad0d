/*
 * literal - find a short text in a line, quickly.
 *
 * memmem(3) prepares itself for long needles; the ids of every line are looked
 * for with short ones.
 */
#ifndef LOG_LITERAL_H
#define LOG_LITERAL_H

#include <stddef.h>

/* The first M bytes of WHAT (M > 0) in the N bytes of P, or NULL. */
const char *literal_find(const char *p, size_t n, const char *what, size_t m);

#endif
