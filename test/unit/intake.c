#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "hub/intake.h"
#include "hub/refusals.h"

static bool
is_there(const char *dir, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/in/%s", dir, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

static void
file_make(const char *dir, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/in/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert(fd >= 0 && close(fd) == 0);
}

/* What killed senders have left goes, once nothing can be writing it; submissions stay. */
static void
check_sweep(const char *dir)
{
	struct intake in = { .dir = dir };
	_cleanup_free_ char *held = xasprintf("%s/in/.held", dir), *empty = xasprintf("%s/in/.empty", dir);
	const int64_t now = clock_wall_ms();

	file_make(dir, ".5.tmp");
	file_make(dir, "1000000.7");
	assert(mkdir(held, 0700) == 0 && mkdir(empty, 0700) == 0);
	file_make(dir, ".held/x");
	intake_sweep(&in, now);
	intake_sweep(&in, now + SUBMISSION_DONE_MS - 60000);
	assert(is_there(dir, ".5.tmp") && is_there(dir, ".empty"));
	intake_sweep(&in, now + SUBMISSION_DONE_MS + 60000);
	assert(!is_there(dir, ".5.tmp") && !is_there(dir, ".empty"));
	assert(is_there(dir, "1000000.7") && is_there(dir, ".held/x"));
	intake_release(&in);
}

static struct taken {
	int room;			/* records that fit */
	int n, commits;
	int commit;			/* what it returns */
	char subs[64][SUBMISSION_NAME + 16];
} t;

static enum intake_verdict
on_item(const struct intake_item *item, void *cookie, struct fail *f)
{
	(void)cookie;
	(void)f;
	if (t.room == 0)
		return INTAKE_FULL;
	t.room--;
	snprintf(t.subs[t.n++ % 64], sizeof *t.subs, "%s", item->sub);
	return INTAKE_ACCEPTED;
}

static int
on_commit(void *cookie)
{
	(void)cookie;
	t.commits++;
	return t.commit;
}

static void
on_refused(const struct fail *f, int64_t n, void *cookie)
{
	(void)cookie;
	printf("%s (%jd)\n", f->text, (intmax_t)n);
}

static const struct intake_callbacks cb = { on_item, on_commit, on_refused, NULL };

static void
file_write(const char *dir, const char *name, const char *kind, int lines)
{
	_cleanup_free_ char *path = xasprintf("%s/in/%s", dir, name);
	FILE *out = fopen(path, "we");

	assert(out);
	for (int i = 0; i < lines; i++)
		fprintf(out, "{\"kind\":\"%s\",\"key\":\"a/b\",\"value\":%d}\n", kind, i);
	assert(fclose(out) == 0);
}

/* A pass is made of slices, and goes through all names in order, once. */
static void
check_slices(const char *dir)
{
	struct intake in = { .dir = dir };
	int slices = 0, r;

	for (int i = 0; i < 2 * INTAKE_FILES + 10; i++) {
		_cleanup_free_ char *name = xasprintf("%d.1", 5000 + i);

		file_write(dir, name, "telemetry", 1);
	}
	t = (struct taken){ .room = 10000 };
	do {
		r = intake_scan(&in, &cb);
		assert(r > 0 && r <= INTAKE_FILES && t.commits == ++slices);
		/* one whose turn is over waits for the next pass */
		if (slices == 1)
			file_write(dir, "1000.1", "telemetry", 1);
	} while (in.more);
	assert(slices >= 3 && t.n == 2 * INTAKE_FILES + 10 && is_there(dir, "1000.1"));
	assert(intake_scan(&in, &cb) == 1 && !in.more && !is_there(dir, "1000.1"));
	intake_release(&in);
}

/* A full queue takes a file in parts, each line once, and holds up its own queue alone. */
static void
check_parts(const char *dir)
{
	struct intake in = { .dir = dir };

	file_write(dir, "2000.1", "state", 5);
	file_write(dir, "2001.1", "state", 1);
	t = (struct taken){ .room = 3 };
	assert(intake_scan(&in, &cb) == 2 && in.full && in.left && !in.more && t.n == 3);
	assert(is_there(dir, "2000.1") && is_there(dir, "2001.1"));
	/* what was not committed is taken again */
	t.room = 1;
	t.commit = -EIO;
	assert(intake_scan(&in, &cb) == -EIO && t.n == 4 && strcmp(t.subs[3], "2000.1.3") == 0);
	t.commit = 0;
	file_write(dir, "2002.1", "telemetry", 1);
	t.room = 1;
	assert(intake_scan(&in, &cb) == 3 && t.n == 5 && strcmp(t.subs[4], "2000.1.3") == 0 && in.full);
	t.room = 10;
	assert(intake_scan(&in, &cb) > 0 && !in.full && !in.left && t.n == 8);
	assert(strcmp(t.subs[5], "2000.1.4") == 0 && strcmp(t.subs[6], "2001.1") == 0 && strcmp(t.subs[7], "2002.1") == 0);
	assert(!is_there(dir, "2000.1") && !is_there(dir, "2002.1"));
	intake_release(&in);
}

/* Which refusals are logged. */
static void
on_text(const char *text, bool verbose, void *cookie)
{
	(void)verbose;
	snprintf(cookie, 64, "%s", text);
}

static void
check_refusals(void)
{
	char said[64] = "";
	const struct logger log = { on_text, said };
	struct refusals r = { 0 };
	int told = 0;

	for (int i = 0; i < 100; i++)
		told += refusals_may_tell(&r, 1000 + i, &log, "things");
	assert(told == REFUSALS_TOLD && !*said);
	assert(refusals_may_tell(&r, 1000 + REFUSALS_MS, &log, "things") && strcmp(said, "80 more things refused") == 0);
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/intake.XXXXXX", tmp ? tmp : "/tmp");
	_cleanup_free_ char *in = NULL, *done = NULL, *submission = NULL;

	assert(mkdtemp(dir));
	in = xasprintf("%s/in", dir);
	done = xasprintf("%s/done", dir);
	submission = xasprintf("%s/in/1000000.7", dir);
	assert(mkdir(in, 0700) == 0);
	assert(mkdir(done, 0700) == 0);
	check_sweep(dir);
	unlink(submission);
	check_slices(dir);
	check_parts(dir);
	check_refusals();
	free(dir);
	return 0;
}
