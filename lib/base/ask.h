/*
 * ask - be asked how it goes, by SIGUSR1, while something else keeps this
 * thread busy that has no loop.
 */
#ifndef BASE_ASK_H
#define BASE_ASK_H

/* FN runs in a thread of its own: it may only look at what it can see half-changed. */
typedef void ask_fn(void *cookie);

struct ask;

/* From here on FN is called for each SIGUSR1, until ask_end(). */
struct ask *ask_begin(ask_fn *fn, void *cookie);
void ask_end(struct ask *a);

#endif
