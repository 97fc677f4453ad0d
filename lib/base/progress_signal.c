#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/progress_signal.h"
#include "base/xalloc.h"

struct progress_signal {
	progress_signal_fn *fn;
	void *cookie;
	pthread_t thread;
	bool has_thread;
	sigset_t usr1;
};

static void *
progress_report(void *cookie)
{
	const struct progress_signal *a = cookie;

	for (int signo; sigwait(&a->usr1, &signo) == 0; )
		a->fn(a->cookie);
	return NULL;
}

struct progress_signal *
progress_signal_begin(progress_signal_fn *fn, void *cookie)
{
	struct progress_signal *a = xcalloc(1, sizeof *a);

	a->fn = fn;
	a->cookie = cookie;
	sigemptyset(&a->usr1);
	sigaddset(&a->usr1, SIGUSR1);
	/* Threads that are made from here on inherit it. */
	pthread_sigmask(SIG_BLOCK, &a->usr1, NULL);
	/* Without a thread there are no reports, but the work is done. */
	a->has_thread = pthread_create(&a->thread, NULL, progress_report, a) == 0;
	return a;
}

void
progress_signal_end(struct progress_signal *a)
{
	if (a->has_thread) {
		pthread_cancel(a->thread);
		pthread_join(a->thread, NULL);
	}
	free(a);
}
