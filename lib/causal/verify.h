/*
 * verify - records in the order in which they stand, and which constraints that
 * order keeps and violates: --check, and pictures of --order=time.
 *
 * The same kinds as in the merge look at the records.  What a record needs and what
 * was not printed yet when its turn has come is violated: where the record that it
 * needs is admitted, or as soon as it is.  An id that is never sent violates nothing.
 */
#ifndef CAUSAL_VERIFY_H
#define CAUSAL_VERIFY_H

struct scheduler;

/* Print all records of S by time, those of one source in its order, with their relations. */
void verify_run(struct scheduler *s);

#endif
