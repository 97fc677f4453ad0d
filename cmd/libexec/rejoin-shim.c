/*
 * rejoin-shim - run one command for a supervisor that may die and find it again.
 *
 *	rejoin-shim [--lock=FD] [--report=FD] DIR
 *
 * The supervisor starts it (supervise/supervise.h); people do not.  What it does
 * is told in supervise/shim.h.  Ends with 0 when the status of DIR is on disk,
 * with 3 when DIR was removed meanwhile.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/io.h"
#include "base/num.h"
#include "supervise/shim.h"

enum { FD_MAX = 1 << 20 };

/* The descriptor in WORD, "NAME=FD", which must be open. */
static int
descriptor_of(const char *word)
{
	int64_t fd;

	if (num_parse(strchr(word, '=') + 1, 3, FD_MAX, &fd) < 0 || fcntl((int)fd, F_GETFD) < 0)
		die(EXIT_USAGE, 0, "not an open descriptor: '%s'", word);
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	return (int)fd;
}

/* What the supervisor had open is not for the command. */
static void
close_others(int a, int b)
{
	int from = 3;

	for (int fd = a < b ? a : b, left = 2; left > 0; fd = a < b ? b : a, left--) {
		if (fd > from)
			close_range((unsigned int)from, (unsigned int)fd - 1, 0);
		if (fd >= from)
			from = fd + 1;
	}
	close_range((unsigned int)from, ~0U, 0);
}

int
main(int argc, char *argv[])
{
	struct shim_spec spec = { .lock_fd = -1, .report_fd = -1 };
	struct fail f;
	int i;

	diag_init(argv);
	for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i++)
		if (strncmp(argv[i], "--lock=", 7) == 0)
			spec.lock_fd = descriptor_of(argv[i]);
		else if (strncmp(argv[i], "--report=", 9) == 0)
			spec.report_fd = descriptor_of(argv[i]);
		else
			die(EXIT_USAGE, 0, "unknown option: '%s'", argv[i]);
	if (argc - i != 1)
		die(EXIT_USAGE, 0, "usage: rejoin-shim [--lock=FD] [--report=FD] DIR");
	spec.dir = argv[i];
	close_others(spec.lock_fd, spec.report_fd);
	if (shim_run(&spec, &f) == 0)
		return EXIT_OK;
	/* to the supervisor's pipe, or to stderr without one */
	if (spec.report_fd >= 0)
		dprintf(spec.report_fd, "%s\n", f.text);
	fail_die(&f);
}
