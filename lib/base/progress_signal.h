/*
 * progress_signal - call a function at each SIGUSR1, while the main thread works
 * without a loop.
 */
#ifndef BASE_PROGRESS_SIGNAL_H
#define BASE_PROGRESS_SIGNAL_H

/* Runs in a thread of its own: it may read only what is safe to read while it changes. */
typedef void progress_signal_fn(void *cookie);

struct progress_signal;

/* From here on FN is called for each SIGUSR1, until progress_signal_end(); for none where no thread can be made. */
struct progress_signal *progress_signal_begin(progress_signal_fn *fn, void *cookie);
void progress_signal_end(struct progress_signal *a);

#endif
