/*
 * ask - be asked how it goes, by SIGUSR1, while something else keeps this
 * thread busy that has no loop.
 */
#ifndef BASE_PROGRESS_SIGNAL_H
#define BASE_PROGRESS_SIGNAL_H

/* FN runs in a thread of its own: it may only look at what it can see half-changed. */
typedef void progress_signal_fn(void *cookie);

struct progress_signal;

/* From here on FN is called for each SIGUSR1, until progress_signal_end(). */
struct progress_signal *progress_signal_begin(progress_signal_fn *fn, void *cookie);
void progress_signal_end(struct progress_signal *a);

#endif
