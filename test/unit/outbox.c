#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "hub/outbox.h"

static struct outbox *
box_open(int64_t urgent_max, int64_t bulk_max)
{
	struct outbox *o = NULL;
	struct fail f;

	assert(outbox_open("box", urgent_max, bulk_max, &o, &f) == 0);
	return o;
}

static int
box_add(struct outbox *o, enum outbox_queue q, int n, size_t filler, int64_t *id)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_free_ char *s = xcalloc(1, filler + 1);

	memset(s, 'x', filler);
	json_set(&v, "n", json_number(n));
	json_set_text(&v, "s", s);
	json_set_text(&v, "id", "not this one");
	return outbox_add(o, q, v, id);
}

static int64_t
member(struct json v, const char *key)
{
	_cleanup_json_ struct json m = json_get(v, key);
	int64_t n;

	return json_get_whole(m, &n) ? n : -1;
}

/* The next record after *AFTER: its number, -1 for none, -2 for a range that was dropped. */
static int64_t
box_next(struct outbox *o, enum outbox_queue q, int64_t *after, int64_t *prev)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	int r = outbox_next(o, q, *after, &v);

	assert(r >= 0);
	if (r == 0)
		return -1;
	*after = member(v, "id");
	*prev = member(v, "prev");
	return member(v, "dropped") > 0 ? -2 : member(v, "n");
}

static struct outbox_level
box_level(struct outbox *o, enum outbox_queue q)
{
	struct outbox_level l;

	outbox_get_level(o, q, &l);
	return l;
}

static void
records_keep_their_order_and_ids(void)
{
	struct outbox *o = box_open(0, 0);
	int64_t ids[5], after = 0, prev;

	for (int i = 0; i < 5; i++)
		assert(box_add(o, OUTBOX_URGENT, i, 10, &ids[i]) == 0);
	assert(box_next(o, OUTBOX_URGENT, &after, &prev) == -1);	/* not committed yet */
	assert(outbox_commit(o) == 0);
	for (int round = 0; round < 3; round++) {
		after = 0;
		for (int i = round; i < 5; i++) {
			assert(box_next(o, OUTBOX_URGENT, &after, &prev) == i && after == ids[i]);
			assert(prev == (i ? ids[i - 1] : 0));
		}
		assert(box_next(o, OUTBOX_URGENT, &after, &prev) == -1);
		assert(outbox_confirm(o, OUTBOX_URGENT, ids[round]) == 0);
		outbox_close(o);
		o = box_open(0, 0);
	}
	/* out of order: given out until all before is confirmed, but not again */
	assert(outbox_confirm(o, OUTBOX_URGENT, ids[4]) == 0 && box_level(o, OUTBOX_URGENT).records == 1);
	after = 0;
	assert(box_next(o, OUTBOX_URGENT, &after, &prev) == 3 && box_next(o, OUTBOX_URGENT, &after, &prev) == -1);
	assert(outbox_confirm(o, OUTBOX_URGENT, ids[3]) == 0 && box_level(o, OUTBOX_URGENT).records == 0);
	outbox_close(o);
	o = box_open(0, 0);
	assert(box_add(o, OUTBOX_URGENT, 5, 10, &after) == 0 && after > ids[4]);
	outbox_close(o);
	o = box_open(0, 0);
	after = 0;
	assert(box_next(o, OUTBOX_URGENT, &after, &prev) == -1);	/* closed without a commit */
	outbox_close(o);
	file_remove_tree("box");
}

static void
urgent_is_never_dropped(void)
{
	struct outbox *o = box_open(20000, 0);
	int64_t after = 0, prev;
	int n = 0, r;

	while ((r = box_add(o, OUTBOX_URGENT, n, 500, NULL)) == 0)
		n++;
	assert(r == -ENOBUFS && outbox_commit(o) == 0 && n > 30);
	for (int i = 0; i < n; i++) {
		assert(box_next(o, OUTBOX_URGENT, &after, &prev) == i);
		assert(outbox_confirm(o, OUTBOX_URGENT, after) == 0);
	}
	/* confirmed ones do not take the room of new ones */
	for (int i = 0; i < 200; i++) {
		assert(box_add(o, OUTBOX_URGENT, i, 500, &after) == 0 && outbox_commit(o) == 0);
		assert(outbox_confirm_to(o, OUTBOX_URGENT, after) == 0);
	}
	assert(box_add(o, OUTBOX_URGENT, 0, OUTBOX_RECORD_MAX, NULL) == -EMSGSIZE);
	outbox_close(o);
	file_remove_tree("box");
}

static void
bulk_drops_the_oldest_and_counts_it(void)
{
	struct outbox *o = box_open(0, 20000);
	int64_t after = 0, prev, first;
	int64_t n;

	assert(box_add(o, OUTBOX_BULK, 0, 500, &first) == 0 && outbox_commit(o) == 0);
	assert(outbox_confirm(o, OUTBOX_BULK, first) == 0);
	for (int i = 1; i < 100; i++)
		assert(box_add(o, OUTBOX_BULK, i, 500, NULL) == 0 && outbox_commit(o) == 0);
	assert(box_level(o, OUTBOX_BULK).bytes <= 20000);
	for (int round = 0; round < 2; round++) {
		int64_t dropped = box_level(o, OUTBOX_BULK).dropped;

		after = 0;
		assert(box_next(o, OUTBOX_BULK, &after, &prev) == -2 && prev == first);
		n = box_next(o, OUTBOX_BULK, &after, &prev);
		assert(n == dropped + 1 && box_level(o, OUTBOX_BULK).records == 99 - dropped);
		outbox_close(o);
		o = box_open(0, 20000);
	}
	/* a part of the range was sent and confirmed while more was dropped */
	after = 0;
	assert(box_next(o, OUTBOX_BULK, &after, &prev) == -2);
	n = box_level(o, OUTBOX_BULK).dropped;
	for (int i = 100; i < 120; i++)
		assert(box_add(o, OUTBOX_BULK, i, 500, NULL) == 0 && outbox_commit(o) == 0);
	assert(outbox_confirm(o, OUTBOX_BULK, after) == 0);
	assert(box_level(o, OUTBOX_BULK).dropped == box_level(o, OUTBOX_BULK).dropped_all - n);
	after = 0;
	assert(box_next(o, OUTBOX_BULK, &after, &prev) == -2 && outbox_confirm(o, OUTBOX_BULK, after) == 0);
	assert(box_level(o, OUTBOX_BULK).dropped == 0);
	n = box_level(o, OUTBOX_BULK).records;
	after = 0;
	for (; n > 0; n--)
		assert(box_next(o, OUTBOX_BULK, &after, &prev) == 120 - n);
	assert(outbox_confirm_to(o, OUTBOX_BULK, after) == 0 && box_level(o, OUTBOX_BULK).records == 0);
	outbox_close(o);
	file_remove_tree("box");
}

/* On a full disk, here the limit of a file: what was there is whole, and the caller knows what was not taken. */
static void
a_failed_write_leaves_what_was_there(void)
{
	struct outbox *o = box_open(0, 0);
	struct rlimit old, low = { .rlim_cur = 3000, .rlim_max = RLIM_INFINITY };
	int64_t after = 0, prev;
	int n = 0;

	signal(SIGXFSZ, SIG_IGN);
	assert(getrlimit(RLIMIT_FSIZE, &old) == 0);
	low.rlim_max = old.rlim_max;
	assert(setrlimit(RLIMIT_FSIZE, &low) == 0);
	while (box_add(o, OUTBOX_URGENT, n, 300, NULL) == 0)
		n++;
	assert(n > 3 && outbox_commit(o) == 0);
	assert(setrlimit(RLIMIT_FSIZE, &old) == 0);
	assert(box_add(o, OUTBOX_URGENT, n, 300, NULL) == 0 && outbox_commit(o) == 0);
	outbox_close(o);
	o = box_open(0, 0);
	for (int i = 0; i <= n; i++)
		assert(box_next(o, OUTBOX_URGENT, &after, &prev) == i);
	assert(box_next(o, OUTBOX_URGENT, &after, &prev) == -1);
	outbox_close(o);
	file_remove_tree("box");
}

static char *
first_segment(const char *queue)
{
	_cleanup_free_ char *command = xasprintf("ls box/%s/*.jsonl | head -n 1", queue);
	FILE *p = popen(command, "r");
	char line[256];

	assert(p && fgets(line, sizeof line, p));
	pclose(p);
	line[strcspn(line, "\n")] = '\0';
	return xstrdup(line);
}

/* What a power cut leaves: a torn last line, and zeros where a line was. */
static void
damage_costs_no_other_record(void)
{
	struct outbox *o = box_open(0, 0);
	_cleanup_free_ char *path = NULL;
	char zeros[40] = "";
	int64_t after = 0, prev, ids[3];
	int fd;

	for (int i = 0; i < 3; i++)
		assert(box_add(o, OUTBOX_BULK, i, 40, &ids[i]) == 0);
	assert(outbox_commit(o) == 0);
	outbox_close(o);
	path = first_segment("bulk");
	fd = open(path, O_RDWR);
	assert(fd >= 0 && lseek(fd, 0, SEEK_END) > 0 && write(fd, "{\"id\":9", 7) == 7);
	assert(pwrite(fd, zeros, sizeof zeros, 30) == (ssize_t)sizeof zeros);
	close(fd);
	o = box_open(0, 0);
	assert(box_next(o, OUTBOX_BULK, &after, &prev) == -2 && after == ids[0]);
	assert(box_next(o, OUTBOX_BULK, &after, &prev) == 1 && prev == ids[0]);
	assert(box_next(o, OUTBOX_BULK, &after, &prev) == 2 && box_next(o, OUTBOX_BULK, &after, &prev) == -1);
	assert(box_add(o, OUTBOX_BULK, 3, 10, NULL) == 0 && outbox_commit(o) == 0);
	assert(box_next(o, OUTBOX_BULK, &after, &prev) == 3);
	outbox_close(o);
	file_remove_tree("box");
}

/* The child writes each number down once it is committed, and confirms all but the last ones. */
static void
write_until_killed(int out, int first)
{
	struct outbox *o = box_open(1 << 20, 30000);

	for (int n = first; ; n++) {
		int64_t after = 0, prev;

		assert(box_add(o, OUTBOX_URGENT, n, 200, NULL) == 0 && box_add(o, OUTBOX_BULK, n, 200, NULL) == 0);
		assert(outbox_commit(o) == 0);
		assert(write(out, &n, sizeof n) == sizeof n);
		if (n % 3 == 0 && box_next(o, OUTBOX_URGENT, &after, &prev) >= 0)
			outbox_confirm(o, OUTBOX_URGENT, after);
	}
}

/* Whatever the instruction at which it dies: none lost, none twice, in order; drops are counted to the last one. */
static void
survives_being_killed(void)
{
	int64_t last_confirmed = -1, bulk_seen = 0;
	int next = 0;

	for (int round = 0; round < 12; round++) {
		int ends[2], n, last = next - 1;
		int64_t after = 0, prev, was, got;
		struct outbox *o;
		pid_t pid;

		assert(pipe(ends) == 0);
		pid = fork();
		if (pid == 0)
			write_until_killed(ends[1], next);
		close(ends[1]);
		for (int i = 0; i < 20 + 7 * round && read(ends[0], &n, sizeof n) == sizeof n; i++)
			last = n;
		kill(pid, SIGKILL);
		assert(waitpid(pid, NULL, 0) == pid);
		while (read(ends[0], &n, sizeof n) == sizeof n)
			last = n;
		close(ends[0]);
		o = box_open(1 << 20, 30000);
		was = -1;
		while ((got = box_next(o, OUTBOX_URGENT, &after, &prev)) >= 0) {
			assert(was < 0 || got == was + 1);
			if (was < 0)
				assert(got > last_confirmed);
			was = got;
		}
		assert(was >= last);	/* the one that was not written down may be there */
		next = (int)was + 1;
		after = was = 0;
		bulk_seen = 0;
		while ((got = box_next(o, OUTBOX_BULK, &after, &prev)) != -1) {
			if (got == -2)
				bulk_seen += box_level(o, OUTBOX_BULK).dropped;
			else
				bulk_seen++;
		}
		/* urgent and bulk are committed one after the other */
		assert(bulk_seen >= last + 1 && bulk_seen <= next);
		if (bulk_seen < next)
			assert(box_add(o, OUTBOX_BULK, next - 1, 200, NULL) == 0 && outbox_commit(o) == 0);
		outbox_close(o);
	}
	file_remove_tree("box");
}

int
main(void)
{
	records_keep_their_order_and_ids();
	urgent_is_never_dropped();
	bulk_drops_the_oldest_and_counts_it();
	a_failed_write_leaves_what_was_there();
	damage_costs_no_other_record();
	survives_being_killed();
	return 0;
}
