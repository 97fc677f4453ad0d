/*
 * rejoin-instance-evp - run the program of a module instance, and serve the module SDK's socket to it.
 *
 *	rejoin-instance-evp [--signal=N] [--grace=MS] -- PROGRAM ARGUMENT...
 *
 * The shim of the instance starts it, in the instance's home; people do not.  The
 * instance and its link are named by REJOIN_INSTANCE and REJOIN_AGENT.  It ends as the program
 * does; 126 and 127 where that could not be executed.  What it does is told in module/bridge.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/num.h"
#include "base/spawn.h"
#include "module/bridge.h"

enum { GRACE_MS = 10000 };

static int64_t
number_of(const char *word, int64_t max)
{
	int64_t n;

	if (num_parse(strchr(word, '=') + 1, 1, max, &n) < 0)
		die(EXIT_USAGE, 0, "not a number: '%s'", word);
	return n;
}

/* End by SIGNO, as the program did, without a core of our own. */
static void
end_by(int signo)
{
	const struct rlimit none = { 0, 0 };
	sigset_t all;

	setrlimit(RLIMIT_CORE, &none);
	signal(signo, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	kill(getpid(), signo);
}

int
main(int argc, char *argv[])
{
	char home[4096];
	struct bridge_spec spec = { .instance = getenv("REJOIN_INSTANCE"), .agent = getenv("REJOIN_AGENT"),
		.stop_signal = SIGTERM, .grace_ms = GRACE_MS };
	struct fail f = { .status = EXIT_OK };
	int i, r, signo = 0;

	diag_init(argv);
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strncmp(argv[i], "--signal=", 9) == 0)
			spec.stop_signal = (int)number_of(argv[i], NSIG - 1);
		else if (strncmp(argv[i], "--grace=", 8) == 0)
			spec.grace_ms = number_of(argv[i], 3600000);
		else
			die(EXIT_USAGE, 0, "unknown option: '%s'", argv[i]);
	if (argc - i < 2 || !spec.instance || !getcwd(home, sizeof home))
		die(EXIT_USAGE, 0, "usage: rejoin-instance-evp [--signal=N] [--grace=MS] -- PROGRAM ARGUMENT..., with REJOIN_INSTANCE");
	spec.argv = argv + i + 1;
	spec.home = home;
	signal(SIGPIPE, SIG_IGN);
	r = bridge_run(&spec, &signo, &f);
	if (r < 0) {
		fail_tell(&f, NULL);
		return r == -ENOENT ? SPAWN_NOT_FOUND : SPAWN_CANNOT_RUN;
	}
	if (signo)
		end_by(signo);
	return r;
}
