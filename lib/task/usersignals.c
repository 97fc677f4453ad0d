#include <signal.h>

#include "task/usersignals.h"

static void
on_int(void *cookie)
{
	const struct usersignals *s = cookie;

	s->fn(SIGINT, s->cookie);
}

static void
on_term(void *cookie)
{
	const struct usersignals *s = cookie;

	s->fn(SIGTERM, s->cookie);
}

static void
on_hup(void *cookie)
{
	const struct usersignals *s = cookie;

	s->fn(SIGHUP, s->cookie);
}

void
usersignals_watch(struct usersignals *s, struct loop *l)
{
	static const struct { int signo; loop_fn *fn; } all[] = {
		{ SIGINT, on_int }, { SIGTERM, on_term }, { SIGHUP, on_hup },
	};
	struct sigaction sa;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (sigaction(all[i].signo, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			loop_signal(l, all[i].signo, all[i].fn, s);
}
