#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/inotify.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "hub/calls.h"
#include "hub/dialect.h"
#include "hub/reader.h"

enum { RESCAN_MS = 10000 };

/* What was passed on already, and its version. */
struct reader_seen {
	char *name;		/* "INSTANCE/TOPIC" encoded, or a call's id */
	int64_t version;
	bool present;		/* in this scan */
};

struct reader_run {
	const char *dir, *instance;
	reader_fn *fn;
	void *cookie;
	struct reader_seen *seen;
	size_t n, cap;
	int inotify, result;
};

/* True where NAME is new or has another version; it is noted. */
static bool
seen_note(struct reader_run *r, const char *name, int64_t version)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->seen[i].name, name) == 0) {
			const bool changed = r->seen[i].version != version;

			r->seen[i].version = version;
			r->seen[i].present = true;
			return changed;
		}
	r->seen = xgrow(r->seen, r->n, &r->cap, sizeof *r->seen);
	r->seen[r->n++] = (struct reader_seen){ xstrdup(name), version, true };
	return true;
}

static void
record_pass(struct reader_run *r, struct json record)
{
	if (r->result == 0)
		r->result = r->fn(record, r->cookie);
	json_release(&record);
}

/* The name that file_encode() made NAME of; a name that was cut stays as it is. */
static char *
name_decode(const char *name)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (const char *p = name; *p; p++) {
		char hex[3] = { p[0] == '%' ? p[1] : '\0', p[0] == '%' && p[1] ? p[2] : '\0', '\0' };

		if (*p == '%' && strlen(hex) == 2 && strspn(hex, "0123456789abcdefABCDEF") == 2) {
			buf_putc(&b, (char)strtol(hex, NULL, 16));
			p += 2;
		} else {
			buf_putc(&b, *p);
		}
	}
	return buf_steal(&b);
}

static struct json
config_record(const char *instance, const char *topic, struct json value, int64_t version)
{
	_cleanup_free_ char *i = name_decode(instance), *t = name_decode(topic);
	struct json v = json_object();

	json_set(&v, "instance", json_string(i));
	json_set(&v, "topic", json_string(t));
	json_set(&v, "value", value);
	json_set(&v, "id", json_number((double)version));
	return v;
}

static int
select_file(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void
config_file(struct reader_run *r, const char *instance, const char *topic)
{
	_cleanup_free_ char *path = xasprintf("%s/config/%s/%s", r->dir, instance, topic);
	_cleanup_free_ char *name = xasprintf("%s/%s", instance, topic);
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail ignored;
	struct stat st;

	if (lstat(path, &st) < 0 || file_load(path, FILE_NOFOLLOW, DIALECT_PAYLOAD_MAX, &b, &ignored) < 0)
		return;
	/* microseconds: exact in a double */
	if (seen_note(r, name, st.st_mtim.tv_sec * INT64_C(1000000) + st.st_mtim.tv_nsec / 1000))
		record_pass(r, config_record(instance, topic, dialect_text(b.s, b.len),
		    st.st_mtim.tv_sec * INT64_C(1000000) + st.st_mtim.tv_nsec / 1000));
}

static void
config_instance(struct reader_run *r, const char *instance)
{
	_cleanup_free_ char *path = xasprintf("%s/config/%s", r->dir, instance);
	struct dirent **names;
	int n;

	if (r->inotify >= 0)
		(void)inotify_watch(r->inotify, path, IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
	n = scandir(path, &names, select_file, alphasort);
	for (int i = 0; i < n; i++) {
		config_file(r, instance, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

/* What is no longer there: deleted. */
static void
config_deleted(struct reader_run *r)
{
	for (size_t i = 0; i < r->n; ) {
		struct reader_seen *s = &r->seen[i];
		char *slash = strchr(s->name, '/');

		if (s->present) {
			i++;
			continue;
		}
		*slash = '\0';
		record_pass(r, config_record(s->name, slash + 1, json_null(), s->version));
		free(s->name);
		*s = r->seen[--r->n];
	}
}

static int
config_scan(struct reader_run *r)
{
	_cleanup_free_ char *path = xasprintf("%s/config", r->dir), *only = r->instance ? file_encode(r->instance) : NULL;
	struct dirent **names;
	int n = scandir(path, &names, select_file, alphasort);

	if (n < 0)
		return -errno;
	for (size_t i = 0; i < r->n; i++)
		r->seen[i].present = false;
	for (int i = 0; i < n; i++) {
		if (!only || strcmp(only, names[i]->d_name) == 0)
			config_instance(r, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	config_deleted(r);
	return 0;
}

static void
call_pass(struct json call, void *cookie)
{
	struct reader_run *r = cookie;
	const char *id = json_get_text(call, "id"), *instance = json_get_text(call, "instance");

	if (!id || !instance || (r->instance && strcmp(r->instance, instance) != 0))
		return;
	if (seen_note(r, id, 0)) {
		struct json shown = json_copy(call);

		json_remove(&shown, "number");
		record_pass(r, shown);
	}
}

static int
calls_scan(struct reader_run *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++)
		r->seen[i].present = false;
	calls_each(r->dir, call_pass, r);
	for (size_t i = 0; i < r->n; i++)
		if (r->seen[i].present)
			r->seen[kept++] = r->seen[i];
		else
			free(r->seen[i].name);
	r->n = kept;
	return 0;
}

static int
reading_run(struct reader_run *r, const char *what, int (*scan)(struct reader_run *), bool follow, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", r->dir, what);
	struct pollfd p = { .events = POLLIN };
	int n;

	r->inotify = follow ? inotify_open() : -1;
	if (r->inotify >= 0)
		(void)inotify_watch(r->inotify, path, IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR);
	p.fd = r->inotify;
	do {
		n = access(path, R_OK | X_OK) < 0 ? -errno : scan(r);
		if (n < 0) {
			fail_errno(f, n, "%s", path);
			if (n == -ENOENT)
				f->status = EXIT_ABSENT;
			r->result = n;
		}
		if (!follow || r->result < 0)
			break;
		poll(&p, 1, RESCAN_MS);
		inotify_drain(p.fd);
	} while (r->result == 0);
	for (size_t i = 0; i < r->n; i++)
		free(r->seen[i].name);
	free(r->seen);
	io_closep(&r->inotify);
	return n < 0 ? n : r->result < 0 ? fail_errno(f, r->result, "standard output") : 0;
}

int
reader_config(const char *dir, const char *instance, bool follow, reader_fn *fn, void *cookie, struct fail *f)
{
	struct reader_run r = { .dir = dir, .instance = instance, .fn = fn, .cookie = cookie };

	return reading_run(&r, "config", config_scan, follow, f);
}

int
reader_calls(const char *dir, const char *instance, bool follow, reader_fn *fn, void *cookie, struct fail *f)
{
	struct reader_run r = { .dir = dir, .instance = instance, .fn = fn, .cookie = cookie };

	return reading_run(&r, "calls", calls_scan, follow, f);
}
