/*
 * prefilter - search for a short literal, quickly.
 *
 * memmem(3) prepares itself for long needles; the ids of every line are looked
 * for with short ones.
 */
#ifndef RECORD_PREFILTER_H
#define RECORD_PREFILTER_H

#include <stddef.h>

/* The first M bytes of WHAT (M > 0) in the N bytes of P, or NULL. */
const char *prefilter_find(const char *p, size_t n, const char *what, size_t m);

#endif
