#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/filewatch.h"
#include "base/xalloc.h"
#include "component/trigger.h"
#include "component/inventory.h"
#include "component/directory_monitor.h"
#include "component/udev.h"

enum { INVENTORY_POLL_MS = 5000 };	/* where its file cannot be watched */

/* Of the file an inventory is in: another one, or written to. */
struct signature {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

enum place { ON_THE_WAY = 1, IS_PLACE };

struct trigger_set {
	struct loop *loop;
	struct trigger_spec spec;
	struct trigger_callbacks callbacks;
	struct json matches;		/* those in use */
	struct udev_listener *udev;	/* NULL for none */
	struct directory_monitor *tree;		/* NULL for none */
	struct filewatch *filewatch;	/* of the inventories */
	struct signature *signatures;	/* of each inventory */
	/* following: */
	struct json places;		/* data files' directories and those above: enum place */
	struct json watched;		/* what TREE listens to: an object, for its keys */
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
udev_event(const struct udev_found *d, const char *action, void *cookie)
{
	struct trigger_set *e = cookie;
	_cleanup_free_ char *cause = xasprintf("udev:%s:%s", action, udev_found_path(d));

	e->callbacks.edge(cause, e->callbacks.cookie);
}

static void
udev_readable(int fd, short events, void *cookie)
{
	struct trigger_set *e = cookie;
	int r;

	(void)fd, (void)events;
	while ((r = udev_listener_next(e->udev, e->matches, udev_event, e)) > 0)
		;
	if (r == -ENOBUFS)
		e->callbacks.edge("udev", e->callbacks.cookie);
}

static void
listen_to_devices(struct trigger_set *e)
{
	struct fail f;

	if (e->udev || json_count(e->matches) == 0)
		return;
	e->udev = udev_listener_new(&f);
	if (!e->udev) {
		e->callbacks.problem(f.text, e->callbacks.cookie);
		return;
	}
	if (access("/run/udev/control", F_OK) < 0)
		e->callbacks.problem("udev: systemd-udevd does not run; until it does, devices are "
		    "seen only by looking", e->callbacks.cookie);
	loop_watch(e->loop, udev_listener_fd(e->udev), POLLIN, udev_readable, e);
}

static char *
parent(const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);

	return xstrdup(dirname(copy));
}

/* One slash for many, and no "./" before it: what is compared must be spelt alike. */
static void
squeeze(char *path)
{
	const char *s = path;
	char *to = path;

	while (s[0] == '.' && s[1] == '/' && s[2])
		for (s += 2; *s == '/'; s++)
			;
	for (; *s; s++)
		if (*s != '/' || s[1] != '/')
			*to++ = *s;
	*to = '\0';
}

/* Does PATH matter to those who follow: a place, something in one, or on the way to it? */
static bool
matters(struct trigger_set *e, const char *path)
{
	_cleanup_free_ char *p = xstrdup(path), *dir = NULL;
	struct json v;
	size_t len;
	bool yes;

	squeeze(p);
	len = strlen(p);
	while (len > 1 && p[len - 1] == '/')
		p[--len] = '\0';
	v = json_get(e->places, p);
	yes = json_kind(v) == JSON_NUMBER;
	json_release(&v);
	if (yes)
		return true;
	dir = parent(p);
	v = json_get(e->places, dir);
	yes = json_get_number(v) == IS_PLACE;
	json_release(&v);
	return yes;
}

static void
tree_edge(const char *path, void *cookie)
{
	struct trigger_set *e = cookie;
	_cleanup_free_ char *cause = path ? xasprintf("tree:%s", path) : xstrdup("tree");

	if (!path || !e->spec.follow || matters(e, path))
		e->callbacks.edge(cause, e->callbacks.cookie);
}

static void
tell_ready(void *cookie)
{
	struct trigger_set *e = cookie;

	if (!e->told_ready)
		e->callbacks.ready(e->callbacks.cookie);
	e->told_ready = true;
}

static void
tree_problem(const char *text, void *cookie)
{
	struct trigger_set *e = cookie;

	e->callbacks.problem(text, e->callbacks.cookie);
}

static void
tree_missing(void *cookie)
{
	struct trigger_set *e = cookie;

	e->callbacks.deaf(e->callbacks.cookie);
}

static void
listen_to_trees(struct trigger_set *e, char *const *dirs)
{
	const struct directory_monitor_callbacks callbacks = {
		tree_edge, tell_ready, tree_problem, tree_missing, e,
	};

	if (e->tree)
		directory_monitor_set_dirs(e->tree, dirs);
	else if (*dirs)
		e->tree = directory_monitor_new(e->loop, dirs, !e->spec.follow, &callbacks);
}

static bool
is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/*
 * The directory of a data file, and where to stand to see it come and go: in
 * it and in the one above, or in the nearest one that is there.
 */
static void
add_place(struct json *places, const char *dir)
{
	_cleanup_free_ char *p = xstrdup(dir);
	enum place kind = IS_PLACE;

	for (;;) {
		_cleanup_json_ struct json known = json_get(*places, p);
		_cleanup_free_ char *up = parent(p);

		if (json_get_number(known) >= kind)
			return;
		json_set(places, p, json_number(kind));
		kind = ON_THE_WAY;
		if (strcmp(up, p) == 0)
			return;
		free(p);
		p = TAKE_PTR(up);
	}
}

static void
watch_place(struct json *watch, const char *place)
{
	_cleanup_free_ char *p = xstrdup(place);
	bool is_there = is_dir(p);

	if (strchr(place, '\n'))
		return;		/* inotifywait cannot be told of it; the rescan sees it */
	if (is_there)
		json_set(watch, p, json_null());
	for (;;) {
		_cleanup_free_ char *up = parent(p);

		if (strcmp(up, p) == 0)
			return;
		free(p);
		p = TAKE_PTR(up);
		if (!is_dir(p))
			continue;
		json_set(watch, p, json_null());
		return;
	}
}

/* The directory that the data file of COMPONENT is in; NULL for none. */
static char *
place_of(struct json component)
{
	_cleanup_json_ struct json properties = json_get(component, "properties");
	const char *path = json_get_text(properties, "path");
	const char *file = json_get_text(properties, "firmwareDataFile");
	_cleanup_free_ char *whole = NULL;

	if (!path || !file)
		return NULL;
	whole = xasprintf("%s/%s", path, file);
	squeeze(whole);
	return parent(whole);
}

/* What INVENTORY names, added to what is listened to. */
static void
follow_inventory(struct trigger_set *e, const char *path)
{
	struct inventory inv = INVENTORY_INIT;
	struct fail f;		/* whoever looks will say it */

	if (inventory_load(path, e->spec.group, &inv, &f) < 0)
		return;
	for (size_t i = 0; i < inv.n; i++) {
		_cleanup_free_ char *place = place_of(inv.entries[i].component);

		if (place)
			add_place(&e->places, place);
		if (json_kind(inv.entries[i].udev) != JSON_NONE)
			json_append(&e->matches, json_copy(inv.entries[i].udev));
	}
	inventory_release(&inv);
}

static bool
inventories_changed(struct trigger_set *e)
{
	bool changed = false;

	for (size_t i = 0; e->spec.inventories[i]; i++) {
		struct signature *old = &e->signatures[i], new = { 0 };
		struct stat st;

		if (stat(e->spec.inventories[i], &st) == 0)
			new = (struct signature){ st.st_dev, st.st_ino, st.st_size, st.st_mtim };
		if (new.dev == old->dev && new.ino == old->ino && new.size == old->size &&
		    new.mtime.tv_sec == old->mtime.tv_sec &&
		    new.mtime.tv_nsec == old->mtime.tv_nsec)
			continue;
		*old = new;
		changed = true;
	}
	return changed;
}

static void
follow_inventories(struct trigger_set *e)
{
	json_release(&e->matches);
	json_release(&e->places);
	e->matches = json_array();
	e->places = json_object();
	for (size_t i = 0; e->spec.inventories[i]; i++)
		follow_inventory(e, e->spec.inventories[i]);
	listen_to_devices(e);
}

/* Go with the places as they are there now. */
static void
follow_places(struct trigger_set *e)
{
	_cleanup_json_ struct json watch = json_object();
	char **dirs;
	size_t n = 0;

	for (struct json_iter it = json_begin(e->places); json_next(&it); )
		if (json_get_number(it.value) == IS_PLACE)
			watch_place(&watch, it.key);
	if (json_equal(watch, e->watched))
		return;
	dirs = xcalloc(json_count(watch) + 1, sizeof *dirs);
	for (struct json_iter it = json_begin(watch); json_next(&it); )
		dirs[n++] = xstrdup(it.key);
	listen_to_trees(e, dirs);
	xfree_strv(dirs);
	json_release(&e->watched);
	e->watched = json_copy(watch);
}

void
trigger_set_refresh(struct trigger_set *e)
{
	if (inventories_changed(e) && e->spec.follow)
		follow_inventories(e);
	if (e->spec.follow)
		follow_places(e);
}

static void
inventory_changed(bool names, void *cookie)
{
	struct trigger_set *e = cookie;

	(void)names;
	if (!inventories_changed(e))
		return;
	if (e->spec.follow)
		follow_inventories(e);
	e->callbacks.edge("inventory", e->callbacks.cookie);
}

static void
listen_to_inventories(struct trigger_set *e)
{
	e->filewatch = filewatch_new(e->loop, INVENTORY_POLL_MS);
	for (char *const *i = e->spec.inventories; *i; i++)
		filewatch_add(e->filewatch, *i, FILEWATCH_PATH, inventory_changed, e);
}

/* From the loop, so that whoever made us has us by then. */
static void
start(void *cookie)
{
	struct trigger_set *e = cookie;

	listen_to_inventories(e);
	listen_to_devices(e);
	trigger_set_refresh(e);
	if (!e->spec.follow)
		listen_to_trees(e, e->spec.trees);
	if (!e->tree)
		tell_ready(e);
}

struct trigger_set *
trigger_set_new(struct loop *l, const struct trigger_spec *spec, const struct trigger_callbacks *callbacks)
{
	struct trigger_set *e = xcalloc(1, sizeof *e);
	size_t n = 0;

	while (spec->inventories[n])
		n++;
	*e = (struct trigger_set){
		.loop = l, .spec = *spec, .callbacks = *callbacks,
		.matches = spec->follow ? json_array() : json_copy(spec->matches),
		.signatures = xcalloc(n + 1, sizeof *e->signatures),
		.places = json_object(), .watched = json_object(),
		.start = { .fn = start, .cookie = e },
	};
	loop_timer_set(l, &e->start, 0);
	return e;
}

void
trigger_set_stop(struct trigger_set *e)
{
	loop_timer_stop(e->loop, &e->start);
	if (e->tree)
		directory_monitor_stop(e->tree);
}

void
trigger_set_free(struct trigger_set *e)
{
	if (!e)
		return;
	loop_timer_stop(e->loop, &e->start);
	directory_monitor_free(e->tree);
	filewatch_free(e->filewatch);
	if (e->udev)
		loop_unwatch(e->loop, udev_listener_fd(e->udev));
	udev_listener_free(e->udev);
	json_release(&e->matches);
	json_release(&e->places);
	json_release(&e->watched);
	free(e->signatures);
	free(e);
}
