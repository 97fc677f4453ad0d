/*
 * supervisor - the other side of rejoin-shim, for tests.
 *
 *	supervisor run DIR		start the run of DIR (its request.json is there), wait for its end
 *	supervisor adopt DIR		wait for the end of a run that another one started
 *	supervisor examine DIR		say what it is now
 *	supervisor end DIR [SIGNAL [GRACE_MS]]
 *	supervisor cat DIR out|err [FROM]	its output, and what is missing on stderr
 *
 * Prints "new", "running", "interrupted" or the outcome in words; ends with the
 * run's status, 5 for new, 6 for running, 4 for interrupted, 3 for trouble.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "supervise/segment.h"
#include "supervise/supervise.h"

static int
print_view(const struct supervise_view *v)
{
	static const char *const names[] = { "new", "running", "ended", "interrupted" };
	static const int statuses[] = { EXIT_ABSENT, EXIT_BUSY, 0, EXIT_TIMEOUT };
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (v->state != SUPERVISE_ENDED) {
		puts(names[v->state]);
		return statuses[v->state];
	}
	outcome_describe(&v->outcome, &b);
	puts(b.s);
	return outcome_status(&v->outcome);
}

struct waiting {
	struct loop *loop;
};

static void
over(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct waiting *w = cookie;

	if (f->text[0])
		diag(0, "%s", f->text);
	loop_stop(w->loop, print_view(v));
}

static int
cat(const char *dir, const char *stream, int64_t from)
{
	_cleanup_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct segment_reader r = SEGMENT_READER_INIT(fd, stream);
	static char chunk[1 << 20];
	int64_t next;
	ssize_t n;

	while ((n = segment_read(&r, from, chunk, sizeof chunk, &next)) != 0) {
		if (n == -ENODATA) {
			fprintf(stderr, "missing %" PRId64 " to %" PRId64 "\n", from, next);
			from = next;
			continue;
		}
		if (n < 0 || io_write_all(STDOUT_FILENO, chunk, (size_t)n) < 0)
			die(EXIT_TROUBLE, (int)n, "%s", dir);
		from += n;
	}
	segment_reader_close(&r);
	return EXIT_OK;
}

static int
wait_for_end(const char *dir, bool adopt)
{
	struct waiting w = { loop_new() };
	const struct supervise_spec spec = { .dir = dir };
	struct fail f;
	int status;

	if (adopt)
		supervise_adopt(w.loop, dir, over, &w);
	else if (!supervise_start(w.loop, &spec, over, &w, &f))
		fail_die(&f);
	status = loop_run(w.loop);
	loop_free(w.loop);
	return status;
}

int
main(int argc, char *argv[])
{
	struct supervise_view v;
	struct fail f;
	int r;

	diag_init(argv);
	if (argc < 3)
		die(EXIT_USAGE, 0, "needs a command and a directory");
	if (strcmp(argv[1], "cat") == 0)
		return cat(argv[2], argc > 3 ? argv[3] : "out", argc > 4 ? atoll(argv[4]) : 0);
	if (strcmp(argv[1], "run") == 0 || strcmp(argv[1], "adopt") == 0)
		return wait_for_end(argv[2], argv[1][0] == 'a');
	if (strcmp(argv[1], "end") == 0) {
		r = supervise_end(argv[2], WHY_KILL, argc > 3 ? atoi(argv[3]) : 0, argc > 4 ? atoll(argv[4]) : -1);
		return r < 0 ? (diag(r, "%s", argv[2]), EXIT_TROUBLE) : EXIT_OK;
	}
	if (strcmp(argv[1], "examine") != 0)
		die(EXIT_USAGE, 0, "unknown command: '%s'", argv[1]);
	if (supervise_examine(argv[2], &v, &f) < 0)
		fail_die(&f);
	return print_view(&v);
}
