#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/filewatch.h"
#include "base/xalloc.h"
#include "component/directory_monitor.h"
#include "component/trigger.h"
#include "component/udev.h"

enum { FILE_POLL_MS = 1000 };	/* for paths that inotify does not report */

/* A data file that a component depends on. */
struct data_file {
	struct trigger_set *owner;
	char *id, *path;
	char *real;			/* PATH without links, at the last scan; NULL where it is followed, or missing */
	struct filewatch_item *item;	/* NULL unless it is followed */
	unsigned int scan;		/* the last one that reported it */
};

struct trigger_set {
	struct loop *loop;
	struct trigger_spec spec;
	struct trigger_callbacks callbacks;
	struct json matches;		/* of devices, those in use */
	struct json scanned_matches;	/* those of the current scan */
	struct json devices;		/* path in /sys: an array of the ids that depend on it */
	struct json removed;		/* ids, an object for its keys */
	struct udev_listener *udev;	/* NULL for none */
	bool udev_failed;
	struct directory_monitor *monitor;	/* NULL for none */
	struct filewatch *filewatch;
	struct data_file **files;
	size_t n, cap;
	struct json index;		/* id: index into FILES */
	unsigned int scan;
	int told_error;			/* of inotify */
	struct enumerate_observer observer;
	struct loop_timer start;
	bool told_ready;
};

int
trigger_parse_match(const char *text, struct json *match, struct fail *f)
{
	_cleanup_json_ struct json out = json_object();
	_cleanup_free_ char *copy = xstrdup(text);
	int r;

	if (strcmp(text, "any") == 0) {
		*match = json_copy(out);
		return 0;
	}
	for (char *s = copy, *end; s; s = end) {
		char *value = strchr(s, '=');

		for (end = s; *end && *end != ','; end++)
			if (*end == '\\' && end[1])
				end++;
		if (*end)
			*end++ = '\0';
		else
			end = NULL;
		if (!value || (end && value >= end))
			return fail_set(f, EXIT_USAGE, "'%.100s': '%.100s' is not KEY=VALUE",
			    text, s);
		*value++ = '\0';
		json_set_text(&out, s, value);
	}
	r = udev_check_match(out, text, f);
	if (r == 0)
		*match = json_copy(out);
	return r;
}

static void
cause_report(struct trigger_set *t, const char *cause)
{
	t->callbacks.trigger(cause, t->callbacks.cookie);
}

static void
on_problem(const char *text, void *cookie)
{
	struct trigger_set *t = cookie;

	t->callbacks.problem(text, t->callbacks.cookie);
}

static void
tell_ready(void *cookie)
{
	struct trigger_set *t = cookie;

	if (!t->told_ready)
		t->callbacks.ready(t->callbacks.cookie);
	t->told_ready = true;
}

/* --- devices */

/* Is a device other than PATH known on which ID depends? */
static bool
has_other_device(const struct trigger_set *t, const char *id, const char *path)
{
	for (struct json_iter it = json_begin(t->devices); json_next(&it); )
		for (size_t i = 0; strcmp(it.key, path) != 0 && i < json_count(it.value); i++) {
			_cleanup_json_ struct json other = json_at(it.value, i);

			if (strcmp(json_get_string(other), id) == 0) {
				json_end(&it);
				return true;
			}
		}
	return false;
}

/* The device at PATH is gone, or matches no longer; true where a component depends on it. */
static bool
device_removed(struct trigger_set *t, const char *path)
{
	_cleanup_json_ struct json ids = json_get(t->devices, path);

	for (size_t i = 0; i < json_count(ids); i++) {
		_cleanup_json_ struct json id = json_at(ids, i);

		if (!has_other_device(t, json_get_string(id), path))
			json_set(&t->removed, json_get_string(id), json_null());
	}
	json_remove(&t->devices, path);
	return json_kind(ids) == JSON_ARRAY;
}

/* A device that was known is followed where it goes: a rename, a property that is lost. */
static void
device_event(const struct udev_found *d, const char *action, void *cookie)
{
	struct trigger_set *t = cookie;
	_cleanup_free_ char *cause = xasprintf("udev:%s:%s", action, udev_found_path(d));
	_cleanup_buf_ struct buf old = BUF_INIT;
	bool matches = udev_matches_any(t->matches, d), known = false;

	udev_found_old_path(d, &old);
	if (old.len)
		known = device_removed(t, old.s);
	if (strcmp(action, "remove") == 0 || !matches)
		known |= device_removed(t, udev_found_path(d));
	if (matches || known)
		cause_report(t, cause);
}

static void
udev_readable(int fd, short events, void *cookie)
{
	struct trigger_set *t = cookie;
	int r;

	(void)fd, (void)events;
	while ((r = udev_listener_next(t->udev, device_event, t)) > 0)
		;
	if (r == -ENOBUFS)
		cause_report(t, "udev");
}

static void
listen_to_devices(struct trigger_set *t)
{
	const char *obstacle;
	struct fail f;

	if (t->udev || t->udev_failed)
		return;
	t->udev = udev_listener_new(&f);
	t->udev_failed = !t->udev;
	obstacle = t->udev ? udev_listener_obstacle() : f.text;
	if (obstacle) {
		_cleanup_free_ char *text = xasprintf("udev: %s: scanning for devices every %d s instead",
		    obstacle, TRIGGER_POLL_MS / 1000);

		on_problem(text, t);
		t->callbacks.poll(t->callbacks.cookie);
	}
	if (t->udev)
		loop_watch(t->loop, udev_listener_fd(t->udev), POLLIN, udev_readable, t);
}

/* --- files */

static void
tell_inotify_error(struct trigger_set *t)
{
	int error = filewatch_error(t->filewatch);

	if (error == t->told_error)
		return;
	t->told_error = error;
	if (error == -EMFILE)
		on_problem("inotify: no instance left (fs.inotify.max_user_instances): files are polled", t);
	else if (error == -ENOSPC)
		on_problem("inotify: no watch left (fs.inotify.max_user_watches): some files are polled", t);
	else if (error < 0) {
		_cleanup_free_ char *text = xasprintf("inotify: %s: files are polled", strerror(-error));

		on_problem(text, t);
	}
}

static void
file_changed(bool names, void *cookie)
{
	struct data_file *d = cookie;
	_cleanup_free_ char *cause = xasprintf("tree:%s", d->path);

	(void)names;
	if (filewatch_take_removed(d->item))
		json_set(&d->owner->removed, d->id, json_null());
	cause_report(d->owner, cause);
}

static void
data_file_free(struct data_file *d)
{
	if (d->item)
		filewatch_remove(d->item);
	free(d->id);
	free(d->path);
	free(d->real);
	free(d);
}

/* Without needless slashes and "./" at the front: so paths from several sources compare equal. */
static void
path_squeeze(char *path)
{
	const char *s = path;
	char *to = path;

	while (s[0] == '.' && s[1] == '/' && s[2])
		for (s += 2; *s == '/'; s++)
			;
	for (; *s; s++)
		if (*s != '/' || (s[1] != '/' && (s[1] || to == path)))
			*to++ = *s;
	*to = '\0';
}

/* PATH, which may be gone, without links on its way; NULL where its directory is gone, too. */
static char *
real_path_of_removed(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = slash == path ? xstrdup("/") : slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
	_cleanup_free_ char *real = realpath(dir, NULL);

	return real ? xasprintf("%s/%s", strcmp(real, "/") == 0 ? "" : real, slash ? slash + 1 : path) : NULL;
}

/* Components whose data file is PATH or below it were removed. */
static void
path_removed(struct trigger_set *t, const char *path)
{
	_cleanup_free_ char *p = real_path_of_removed(path);
	size_t len = p ? strlen(p) : 0;

	for (size_t i = 0; p && i < t->n; i++) {
		const char *file = t->files[i]->real;

		if (file && strncmp(file, p, len) == 0 && (file[len] == '/' || !file[len]))
			json_set(&t->removed, t->files[i]->id, json_null());
	}
}

static void
directory_changed(const char *path, bool removed, void *cookie)
{
	struct trigger_set *t = cookie;
	_cleanup_free_ char *cause = path ? xasprintf("tree:%s", path) : xstrdup("tree");

	if (path && removed)
		path_removed(t, path);
	cause_report(t, cause);
}

static void
inotifywait_missing(void *cookie)
{
	struct trigger_set *t = cookie;

	_cleanup_free_ char *text = xasprintf("inotifywait is not installed (package inotify-tools): "
	    "scanning every %d s instead", TRIGGER_POLL_MS / 1000);

	on_problem(text, t);
	t->callbacks.poll(t->callbacks.cookie);
}

/* inotifywait succeeds in a directory of which it will hear nothing. */
static void
tell_silent_trees(struct trigger_set *t)
{
	for (char *const *dir = t->spec.trees; *dir; dir++) {
		_cleanup_free_ char *text = NULL;

		if (!filewatch_is_silent(*dir))
			continue;
		text = xasprintf("%s: its file system does not report changes: scanning every %d s instead", *dir,
		    TRIGGER_POLL_MS / 1000);
		on_problem(text, t);
		t->callbacks.poll(t->callbacks.cookie);
	}
}

static void
inventory_changed(bool names, void *cookie)
{
	(void)names;
	cause_report(cookie, "inventory");
}

/* --- what a scan reports */

static void
observe_match(struct json match, void *cookie)
{
	struct trigger_set *t = cookie;

	if (!t->spec.follow)
		return;
	listen_to_devices(t);
	for (size_t i = 0; i < json_count(t->scanned_matches); i++) {
		_cleanup_json_ struct json known = json_at(t->scanned_matches, i);

		if (json_equal(known, match))
			return;
	}
	json_append(&t->scanned_matches, json_copy(match));
}

static void
observe_device(const char *id, const char *syspath, void *cookie)
{
	struct trigger_set *t = cookie;
	struct json ids = json_get(t->devices, syspath);

	if (json_kind(ids) != JSON_ARRAY)
		ids = json_array();
	json_append(&ids, json_string(id));
	json_set(&t->devices, syspath, ids);
}

static void
observe_data_file(const char *id, const char *path, void *cookie)
{
	struct trigger_set *t = cookie;
	_cleanup_json_ struct json at = json_get(t->index, id);
	struct data_file *d = json_kind(at) == JSON_NUMBER ? t->files[(size_t)json_get_number(at)] : NULL;
	_cleanup_free_ char *p = xstrdup(path);

	path_squeeze(p);
	if (d && strcmp(d->path, p) != 0) {
		if (d->item)
			filewatch_remove(d->item);
		free(d->path);
		d->path = xstrdup(p);
		d->item = NULL;
	} else if (!d) {
		d = xcalloc(1, sizeof *d);
		*d = (struct data_file){ .owner = t, .id = xstrdup(id), .path = xstrdup(p) };
		json_set(&t->index, id, json_number((double)t->n));
		t->files = xgrow(t->files, t->n, &t->cap, sizeof(struct data_file *));
		t->files[t->n++] = d;
	}
	d->scan = t->scan;
	free(d->real);
	d->real = t->spec.follow ? NULL : realpath(d->path, NULL);
	if (t->spec.follow && !d->item)
		d->item = filewatch_add(t->filewatch, d->path, FILEWATCH_PATH, file_changed, d);
}

const struct enumerate_observer *
trigger_set_begin_scan(struct trigger_set *t)
{
	t->scan++;
	json_release(&t->scanned_matches);
	t->scanned_matches = json_array();
	json_release(&t->devices);
	t->devices = json_object();
	return &t->observer;
}

/* Drop the data files that the last scan did not report. */
static void
drop_files(struct trigger_set *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		if (t->files[i]->scan == t->scan)
			t->files[n++] = t->files[i];
		else
			data_file_free(t->files[i]);
	if (n == t->n)
		return;
	t->n = n;
	json_release(&t->index);
	t->index = json_object();
	for (size_t i = 0; i < n; i++)
		json_set(&t->index, t->files[i]->id, json_number((double)i));
}

void
trigger_set_end_scan(struct trigger_set *t, bool complete)
{
	if (t->spec.follow && complete) {
		json_release(&t->matches);
		t->matches = json_copy(t->scanned_matches);
	} else if (t->spec.follow) {
		for (size_t i = 0; i < json_count(t->scanned_matches); i++)
			json_append(&t->matches, json_at(t->scanned_matches, i));
	}
	if (complete)
		drop_files(t);
	if (t->filewatch)
		tell_inotify_error(t);
}

struct json
trigger_set_take_removed(struct trigger_set *t)
{
	struct json removed = t->removed;

	t->removed = json_object();
	return removed;
}

void
trigger_set_describe(const struct trigger_set *t, struct buf *out)
{
	size_t n_trees = 0, n_inventories = 0;

	while (t->spec.inventories[n_inventories])
		n_inventories++;
	while (t->spec.trees[n_trees])
		n_trees++;
	buf_printf(out, "%zu inventor%s", n_inventories, n_inventories == 1 ? "y" : "ies");
	if (t->spec.follow)
		buf_printf(out, ", %zu data file%s", t->n, t->n == 1 ? "" : "s");
	if (n_trees)
		buf_printf(out, ", %zu director%s", n_trees, n_trees == 1 ? "y" : "ies");
	if (t->udev)
		buf_puts(out, ", devices");
}

static void
monitor_start(void *cookie)
{
	struct trigger_set *t = cookie;
	const struct directory_monitor_callbacks callbacks = {
		directory_changed, tell_ready, on_problem, inotifywait_missing, t,
	};

	tell_inotify_error(t);
	if (!t->spec.follow && json_count(t->matches))
		listen_to_devices(t);
	if (!t->spec.follow && *t->spec.trees) {
		tell_silent_trees(t);
		t->monitor = directory_monitor_new(t->loop, t->spec.trees, &callbacks);
	} else {
		tell_ready(t);
	}
}

struct trigger_set *
trigger_set_new(struct loop *l, const struct trigger_spec *spec,
    const struct trigger_callbacks *callbacks)
{
	struct trigger_set *t = xcalloc(1, sizeof *t);

	*t = (struct trigger_set){
		.loop = l, .spec = *spec, .callbacks = *callbacks,
		.matches = spec->follow ? json_array() : json_copy(spec->matches),
		.scanned_matches = json_array(), .devices = json_object(),
		.removed = json_object(), .index = json_object(),
		.observer = { observe_match, observe_device, observe_data_file, t },
		.start = { .fn = monitor_start, .cookie = t },
	};
	t->filewatch = filewatch_new(l, FILE_POLL_MS);
	for (char *const *i = spec->inventories; *i; i++)
		filewatch_add(t->filewatch, *i, FILEWATCH_PATH, inventory_changed, t);
	loop_timer_set(l, &t->start, 0);	/* callbacks come from the loop, when the caller has T */
	return t;
}

void
trigger_set_stop(struct trigger_set *t)
{
	loop_timer_stop(t->loop, &t->start);
	if (t->monitor)
		directory_monitor_stop(t->monitor);
}

void
trigger_set_free(struct trigger_set *t)
{
	if (!t)
		return;
	loop_timer_stop(t->loop, &t->start);
	directory_monitor_free(t->monitor);
	for (size_t i = 0; i < t->n; i++)
		data_file_free(t->files[i]);
	free(t->files);
	filewatch_free(t->filewatch);
	if (t->udev)
		loop_unwatch(t->loop, udev_listener_fd(t->udev));
	udev_listener_free(t->udev);
	json_release(&t->matches);
	json_release(&t->scanned_matches);
	json_release(&t->devices);
	json_release(&t->removed);
	json_release(&t->index);
	free(t);
}
