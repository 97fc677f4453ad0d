#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "hub/calls.h"

enum { CALL_MAX = DIALECT_PAYLOAD_MAX + 65536 };

static char *
call_path(const char *dir, const char *id)
{
	_cleanup_free_ char *name = file_encode(id);

	return xasprintf("%s/calls/%s.json", dir, name);
}

static int
select_call(const struct dirent *e)
{
	const size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && n > 5 && strcmp(e->d_name + n - 5, ".json") == 0;
}

static int
calls_count(const char *dir)
{
	_cleanup_free_ char *path = xasprintf("%s/calls", dir);
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += select_call(e);
	if (d)
		closedir(d);
	return n;
}

int
calls_open(const char *dir, const struct dialect_event *e, int64_t now_ms, struct fail *f)
{
	_cleanup_free_ char *path = call_path(dir, e->id);
	_cleanup_json_ struct json v = dialect_call_json(e);
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r;

	if (e->deadline_ms > 0 && e->deadline_ms < now_ms) {
		fail_set(f, EXIT_TIMEOUT, "call %s: its deadline has passed", e->id);
		return -ETIME;
	}
	if (access(path, F_OK) == 0) {
		fail_set(f, EXIT_OK, "call %s: is open already", e->id);
		return -EEXIST;
	}
	if (calls_count(dir) >= CALLS_MAX) {
		fail_set(f, EXIT_BUSY, "call %s: %d calls are open already", e->id, CALLS_MAX);
		return -ENOSPC;
	}
	if (e->deadline_ms <= 0)
		json_set(&v, "deadline", json_number((double)(now_ms + CALLS_EXPIRE_MS)));
	json_format(v, &text);
	buf_putc(&text, '\n');
	r = file_replace(path, text.s, text.len, 0640, 0);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

int
calls_find(const char *dir, const char *id, struct json *out, struct fail *f)
{
	_cleanup_free_ char *path = call_path(dir, id);

	return json_load(path, FILE_NOFOLLOW, CALL_MAX, out, f);
}

void
calls_close(const char *dir, const char *id)
{
	_cleanup_free_ char *path = call_path(dir, id);

	unlink(path);
}

static int
compare_calls(const void *a, const void *b)
{
	const struct json *x = a, *y = b;
	_cleanup_json_ struct json p = json_get(*x, "number"), q = json_get(*y, "number");

	return (json_get_number(p) > json_get_number(q)) - (json_get_number(p) < json_get_number(q));
}

void
calls_each(const char *dir, calls_fn *fn, void *cookie)
{
	_cleanup_free_ char *path = xasprintf("%s/calls", dir);
	struct dirent **names;
	int n = scandir(path, &names, select_call, alphasort), found = 0;
	struct json *all;
	struct fail ignored;

	if (n < 0)
		return;
	all = xcalloc((size_t)n + 1, sizeof *all);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *file = xasprintf("%s/%s", path, names[i]->d_name);

		if (json_load(file, FILE_NOFOLLOW, CALL_MAX, &all[found], &ignored) == 0)
			found++;
		free(names[i]);
	}
	free(names);
	qsort(all, (size_t)found, sizeof *all, compare_calls);
	for (int i = 0; i < found; i++) {
		fn(all[i], cookie);
		json_release(&all[i]);
	}
	free(all);
}

struct expiry {
	const char *dir;
	int64_t now_ms;
	calls_fn *fn;
	void *cookie;
};

static void
call_expire(struct json call, void *cookie)
{
	const struct expiry *x = cookie;
	_cleanup_json_ struct json deadline = json_get(call, "deadline");
	const char *id = json_get_text(call, "id");
	int64_t ms;

	if (!id || !json_get_whole(deadline, &ms) || ms >= x->now_ms)
		return;
	x->fn(call, x->cookie);
	calls_close(x->dir, id);
}

void
calls_expire(const char *dir, int64_t now_ms, calls_fn *fn, void *cookie)
{
	struct expiry x = { dir, now_ms, fn, cookie };

	calls_each(dir, call_expire, &x);
}
