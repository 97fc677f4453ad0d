#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "hub/attributes.h"
#include "hub/dialect.h"

enum { LEVEL_MAX = 8 << 20 };

int
attributes_open(struct attributes *a, const char *dir, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/shared.json", dir);
	int r;

	*a = (struct attributes){ .dir = dir };
	r = json_load(path, FILE_NOFOLLOW, LEVEL_MAX, &a->all, f);
	if (r == 0 && json_is_object(a->all))
		return 0;
	json_release(&a->all);
	a->all = json_object();
	return r == -ENOENT || r == 0 ? 0 : r;
}

void
attributes_close(struct attributes *a)
{
	json_release(&a->all);
}

/* The file of "configuration/INSTANCE/TOPIC"; NULL where KEY is another. */
static char *
config_path(const char *dir, const char *key, bool make)
{
	const char *rest = dialect_after(key, "configuration/"), *slash = rest ? strchr(rest, '/') : NULL;
	_cleanup_free_ char *instance = slash ? xstrndup(rest, (size_t)(slash - rest)) : NULL;
	_cleanup_free_ char *name = NULL, *topic = NULL, *parent = NULL;

	if (!slash || slash == rest || !slash[1])
		return NULL;
	name = file_encode(instance);
	topic = file_encode(slash + 1);
	parent = xasprintf("%s/config/%s", dir, name);
	if (make && mkdir(parent, 0750) == 0)
		chmod(parent, 02750);
	return xasprintf("%s/%s", parent, topic);
}

static int
config_write(const char *path, struct json value, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = dialect_bytes(value, &b);

	if (r == 0)
		r = file_replace(path, b.s, b.len, 0640, FILE_DURABLE);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

static void
config_remove(const char *path)
{
	_cleanup_free_ char *parent = xstrdup(path);

	unlink(path);
	*strrchr(parent, '/') = '\0';
	rmdir(parent);		/* where it was the last one */
}

static int
goal_write(const char *dir, struct json goal, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/goal.json", dir);
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	if (json_kind(goal) == JSON_NULL) {
		if (unlink(path) < 0 && errno != ENOENT)
			return fail_errno(f, errno, "%s", path);
		return 0;
	}
	json_format(goal, &b);
	buf_putc(&b, '\n');
	if (b.len > DIALECT_PAYLOAD_MAX)
		return fail_set(f, EXIT_USAGE, "goal: over %d bytes", DIALECT_PAYLOAD_MAX);
	r = file_replace(path, b.s, b.len, 0640, FILE_DURABLE);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

/* KEY changed to VALUE: its file, if it has one. */
static int
member_write(const char *dir, const char *key, struct json value, struct fail *f)
{
	const bool gone = json_kind(value) == JSON_NULL || json_kind(value) == JSON_NONE;
	_cleanup_free_ char *path = NULL;

	if (strcmp(key, "goal") == 0)
		return json_kind(value) == JSON_NONE ? 0 : goal_write(dir, value, f);
	path = config_path(dir, key, !gone);
	if (!path)
		return 0;
	if (!gone)
		return config_write(path, value, f);
	config_remove(path);
	return 0;
}

/* Write shared.json. */
static int
level_write(const struct attributes *a, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/shared.json", a->dir);
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	json_format(a->all, &b);
	buf_putc(&b, '\n');
	r = b.len > LEVEL_MAX ? -EMSGSIZE : file_replace(path, b.s, b.len, 0640, FILE_DURABLE);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

/* What of the old level is not in the new one is removed from NEXT's files. */
static int
removed_write(const struct attributes *a, struct json next, struct fail *f)
{
	for (struct json_iter it = json_begin(a->all); json_next(&it); ) {
		_cleanup_json_ struct json v = json_get(next, it.key);

		if (json_kind(v) == JSON_NONE && member_write(a->dir, it.key, JSON_ABSENT, f) < 0) {
			json_end(&it);
			return -EIO;
		}
	}
	return 0;
}

int
attributes_apply(struct attributes *a, struct json change, bool level, struct fail *f)
{
	struct json next = level ? json_object() : json_copy(a->all);
	_cleanup_json_ struct json goal = json_get(a->all, "goal");
	int r = 0;

	if (level && json_kind(goal) != JSON_NONE)
		json_set(&next, "goal", json_copy(goal));
	for (struct json_iter it = json_begin(change); json_next(&it); )
		if (json_kind(it.value) == JSON_NULL)
			json_remove(&next, it.key);
		else
			json_set(&next, it.key, json_copy(it.value));
	if (json_count(next) > DIALECT_KEYS_MAX) {
		json_release(&next);
		return fail_set(f, EXIT_USAGE, "attributes: more than %d", DIALECT_KEYS_MAX);
	}
	/* the files first: a kill in between leaves shared.json old, and the change is applied again */
	for (struct json_iter it = json_begin(change); json_next(&it) && r == 0; ) {
		_cleanup_json_ struct json old = json_get(a->all, it.key);

		if (!json_equal(old, it.value))
			r = member_write(a->dir, it.key, it.value, f);
		if (r < 0)
			json_end(&it);
	}
	if (r == 0)
		r = removed_write(a, next, f);
	if (r < 0) {
		json_release(&next);
		return r;
	}
	if (json_equal(a->all, next)) {
		json_release(&next);
		return 0;
	}
	json_release(&a->all);
	a->all = next;
	return level_write(a, f);
}
