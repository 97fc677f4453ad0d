/*
 * plain - a merge in which nothing counts but times and the order of each source,
 * and records are printed as they are: one loop over descriptors.
 *
 * Records are gathered on a tape of pointers and printed many at once, so that
 * their bytes are fetched into the cache meanwhile.
 */
#ifndef CAUSAL_PLAIN_H
#define CAUSAL_PLAIN_H

struct scheduler;

/* Merge all of S to the end; its spec has BY_TIME and PRINT_BYTES. */
void plain_run(struct scheduler *s);

#endif
