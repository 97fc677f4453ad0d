#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hlc.h"
#include "base/io.h"
#include "base/journal.h"
#include "base/lock.h"
#include "base/xalloc.h"
#include "fleet/rolloutlog.h"

struct rolloutlog {
	char *path;		/* NULL: in memory alone */
	int lock;
	struct journal *journal;
	struct hlc hlc;
	char *id;
	uint64_t seed;
	bool continued;
};

static int
line_write(struct rolloutlog *l, struct json line, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	if (!l->journal)
		return 0;
	json_format(line, &b);
	r = journal_add(l->journal, b.s, b.len);
	return r < 0 ? fail_errno(f, r, "%s", l->path) : 0;
}

static struct json
id_json(struct rolloutlog *l)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, hlc_next_us(&l->hlc, clock_wall_us()));
	return json_number_text(text, strlen(text));
}

int
rolloutlog_add(struct rolloutlog *l, struct json line, struct fail *f)
{
	_cleanup_json_ struct json with = json_object(), without = line;

	json_set(&with, "id", id_json(l));
	for (struct json_iter it = json_begin(without); json_next(&it); )
		json_set(&with, it.key, json_copy(it.value));
	return line_write(l, with, f);
}

int
rolloutlog_sync(struct rolloutlog *l, struct fail *f)
{
	const int r = l->journal ? journal_sync(l->journal) : 0;

	return r < 0 ? fail_errno(f, r, "%s", l->path) : 0;
}

/* --- the first line */

static struct json
head_json(const struct rolloutlog_head *h)
{
	struct json v = json_object(), action = json_array();

	for (char *const *a = h->action; *a; a++)
		json_append(&action, json_string(*a));
	json_set(&v, "action", action);
	json_set_text(&v, "via", h->via);
	json_set_text(&v, "waves", h->waves);
	json_set(&v, "devices", json_number(h->devices));
	json_set_text(&v, "digest", h->digest);
	return v;
}

static int
head_compare(struct rolloutlog *l, struct json have, struct json want, struct fail *f)
{
	static const char *const members[] = { "action", "via", "waves", "devices", "digest" };
	const char *seed = json_get_text(have, "seed"), *id = json_get_text(have, "rollout");

	if (!seed || !id || sscanf(seed, "%" SCNx64, &l->seed) != 1) {
		fail_set(f, EXIT_USAGE, "%s: is not the journal of a rollout", l->path);
		fail_hint(f, "name a file that does not exist yet");
		return -EINVAL;
	}
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		_cleanup_json_ struct json a = json_get(have, members[i]), b = json_get(want, members[i]);

		if (json_equal(a, b))
			continue;
		fail_set(f, EXIT_USAGE, "%s: is the journal of another rollout: %s", l->path,
		    i >= 3 ? "other devices" : members[i]);
		fail_hint(f, "continue it with the command line and the devices that began it, or name another file");
		return -EINVAL;
	}
	l->id = xstrdup(id);
	l->continued = true;
	return 0;
}

static int
head_write(struct rolloutlog *l, struct json want, struct fail *f)
{
	_cleanup_json_ struct json v = json_object();
	char seed[20];
	int r;

	if (getrandom(&l->seed, sizeof l->seed, GRND_NONBLOCK) != sizeof l->seed)
		l->seed = (uint64_t)clock_wall_us() * 2654435761U;
	snprintf(seed, sizeof seed, "%016" PRIx64, l->seed);
	l->id = xasprintf("%" PRId64, hlc_next_us(&l->hlc, clock_wall_us()));
	json_set_text(&v, "rollout", l->id);
	json_set_text(&v, "seed", seed);
	for (struct json_iter it = json_begin(want); json_next(&it); )
		json_set(&v, it.key, json_copy(it.value));
	r = rolloutlog_add(l, json_copy(v), f);
	return r < 0 ? r : rolloutlog_sync(l, f);
}

/* The first line of the file, "" where it is empty. */
static int
head_read(const char *path, struct buf *out, struct fail *f)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int r = 0;

	if (!file)
		return fail_errno(f, errno, "%s", path);
	n = getline(&line, &cap, file);
	if (n > 0)
		buf_add(out, line, (size_t)n);
	else if (ferror(file))
		r = fail_errno(f, errno, "%s", path);
	free(line);
	fclose(file);
	return r;
}

static int
file_open(struct rolloutlog *l, struct fail *f)
{
	struct stat st;
	int r;

	l->lock = lock_open(l->path, 0600);
	if (l->lock < 0)
		return fail_errno(f, l->lock, "%s", l->path);
	if (fstat(l->lock, &st) < 0 || !S_ISREG(st.st_mode))
		return fail_set(f, EXIT_USAGE, "%s: is not a regular file", l->path);
	r = lock_try(l->lock);
	if (r == -EAGAIN)
		return fail_set(f, EXIT_BUSY, "%s: is in use by another rejoin-fleet", l->path);
	if (r < 0)
		return fail_errno(f, r, "%s", l->path);
	return 0;
}

int
rolloutlog_open(const char *path, const struct rolloutlog_head *head, struct rolloutlog **out, struct fail *f)
{
	struct rolloutlog *l = xcalloc(1, sizeof *l);
	_cleanup_json_ struct json want = head_json(head), have = JSON_ABSENT;
	_cleanup_buf_ struct buf first = BUF_INIT;
	struct fail ignored;
	int r = 0;

	l->lock = -1;
	if (path) {
		l->path = xstrdup(path);
		r = file_open(l, f);
		if (r == 0)
			r = head_read(path, &first, f);
		/* a first line that a crash has torn is none, and nothing was asked; other text is not ours to cut */
		if (r == 0 && first.len > 0 && (json_parse(NULL, first.s, first.len, &have, &ignored) < 0 || !json_get_text(have, "seed")) &&
		    (strchr(first.s, '\n') || strncmp(first.s, "{\"id\":", first.len < 6 ? first.len : 6) != 0))
			r = head_compare(l, have, want, f);
		if (r == 0 && !(l->journal = journal_open(path, SIZE_MAX)))
			r = fail_errno(f, errno, "%s", path);
	}
	if (r == 0)
		r = strchr(first.s, '\n') ? head_compare(l, have, want, f) : head_write(l, want, f);
	if (r < 0) {
		rolloutlog_close(l);
		return r;
	}
	*out = l;
	return 0;
}

void
rolloutlog_close(struct rolloutlog *l)
{
	if (!l)
		return;
	journal_close(l->journal);
	io_closep(&l->lock);
	free(l->path);
	free(l->id);
	free(l);
}

bool
rolloutlog_is_continued(const struct rolloutlog *l)
{
	return l->continued;
}

bool
rolloutlog_is_kept(const struct rolloutlog *l)
{
	return l->path != NULL;
}

const char *
rolloutlog_id(const struct rolloutlog *l)
{
	return l->id;
}

uint64_t
rolloutlog_seed(const struct rolloutlog *l)
{
	return l->seed;
}

int
rolloutlog_replay(struct rolloutlog *l, rolloutlog_fn *fn, void *cookie, int64_t *damaged, struct fail *f)
{
	struct fail ignored;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	FILE *file;
	int r = 0;

	*damaged = 0;
	if (!l->continued)
		return 0;
	file = fopen(l->path, "re");
	if (!file)
		return fail_errno(f, errno, "%s", l->path);
	for (bool first = true; (n = getline(&line, &cap, file)) > 0; first = false) {
		_cleanup_json_ struct json v = JSON_ABSENT, id = JSON_ABSENT;
		int64_t number;

		if (json_parse(NULL, line, (size_t)n, &v, &ignored) < 0 || !json_is_object(v)) {
			++*damaged;
			continue;
		}
		id = json_get(v, "id");
		if (json_get_whole(id, &number))
			hlc_see(&l->hlc, number);
		if (!first)
			fn(v, cookie);
	}
	if (ferror(file))
		r = fail_errno(f, errno, "%s", l->path);
	free(line);
	fclose(file);
	return r;
}
