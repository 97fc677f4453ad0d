#include <errno.h>
#include <libudev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "component/udev.h"

static const char attr[] = "attr:", control[] = "/run/udev/control", queue[] = "/run/udev/queue";

enum { LISTENER_BUFFER = 16 << 20 };	/* for thousands of devices at once */

struct property {
	const char *name, *value;	/* the device's */
};

struct udev_found {
	struct udev_device *device;
	bool is_gone;		/* what is not known of it is not asked for */
	/* sorted by name; libudev would look into the file system for one that is not there */
	struct property *properties;
	size_t n, cap;
};

static int
devices_compare(const void *a, const void *b)
{
	const struct property *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
read_properties(struct udev_found *d)
{
	struct udev_list_entry *entry;

	udev_list_entry_foreach(entry, udev_device_get_properties_list_entry(d->device)) {
		d->properties = xgrow(d->properties, d->n, &d->cap, sizeof *d->properties);
		d->properties[d->n++] = (struct property){ udev_list_entry_get_name(entry),
		    udev_list_entry_get_value(entry) };
	}
	if (d->n > 0)
		qsort(d->properties, d->n, sizeof *d->properties, devices_compare);
}

static const char *
find_property(const struct udev_found *d, const char *name)
{
	const struct property key = { name, NULL }, *p = NULL;

	if (d->n > 0)
		p = bsearch(&key, d->properties, d->n, sizeof key, devices_compare);
	return p ? p->value : NULL;
}

static void
found_release(struct udev_found *d)
{
	udev_device_unref(d->device);
	free(d->properties);
}

static bool
is_attr(const char *key)
{
	return strncmp(key, attr, sizeof attr - 1) == 0;
}

const char *
udev_found_path(const struct udev_found *d)
{
	return udev_device_get_syspath(d->device);
}

void
udev_found_old_path(const struct udev_found *d, struct buf *out)
{
	const char *old = find_property(d, "DEVPATH_OLD");

	if (old)
		buf_printf(out, "/sys%s", old);
}

const char *
udev_found_get(const struct udev_found *d, const char *name)
{
	return is_attr(name) ? udev_device_get_sysattr_value(d->device, name + sizeof attr - 1)
	    : find_property(d, name);
}

/* A file below the device's directory: libudev itself would follow "..". */
static bool
is_attr_name(const char *name)
{
	const size_t len = strlen(name);

	return len > 0 && name[0] != '/' && strcmp(name, "..") != 0 &&
	    strncmp(name, "../", 3) != 0 && !strstr(name, "/../") &&
	    !(len > 3 && strcmp(name + len - 3, "/..") == 0);
}

bool
udev_is_name(const char *name)
{
	return is_attr(name) ? is_attr_name(name + sizeof attr - 1)
	    : *name && !strpbrk(name, "=/");
}

int
udev_check_match(struct json match, const char *where, struct fail *f)
{
	struct json_iter it;
	int r = 0;

	if (!json_is_object(match))
		return fail_set(f, EXIT_USAGE, "%s: udev is %s, not an object", where,
		    json_kind_name(match));
	if (json_count(match) == 0)
		return fail_set(f, EXIT_USAGE, "%s: udev is empty, it would match any device", where);
	for (it = json_begin(match); r == 0 && json_next(&it); ) {
		const char *pattern = json_get_string(it.value);

		if (!udev_is_name(it.key))
			r = fail_set(f, EXIT_USAGE, "%s: udev: '%.100s' is neither a property's "
			    "name nor attr:NAME", where, it.key);
		else if (!pattern)
			r = fail_set(f, EXIT_USAGE, "%s: udev: %.100s is %s, not a string", where,
			    it.key, json_kind_name(it.value));
		else if (strlen(pattern) != json_string_len(it.value))
			r = fail_set(f, EXIT_USAGE, "%s: udev: %.100s has a NUL character", where,
			    it.key);
	}
	json_end(&it);
	return r;
}

/* Never more than length times length steps, unlike fnmatch(3). */
static bool
pattern_fits(const char *pattern, const char *s)
{
	const char *star = NULL, *from = NULL;

	while (*s) {
		const char *p = *pattern == '\\' && pattern[1] ? pattern + 1 : pattern;

		if (p == pattern && *p == '*') {
			star = ++pattern;
			from = s;
		} else if (*p && (*p == *s || (p == pattern && *p == '?'))) {
			pattern = p + 1;
			s++;
		} else if (star) {
			pattern = star;
			s = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool
udev_matches(struct json match, const struct udev_found *d)
{
	struct json_iter it;
	bool yes = true;

	for (it = json_begin(match); yes && json_next(&it); ) {
		const char *pattern = json_get_string(it.value), *value;

		if (d->is_gone && is_attr(it.key))
			continue;
		value = udev_found_get(d, it.key);
		yes = value && pattern && pattern_fits(pattern, value);
	}
	json_end(&it);
	return yes;
}

/* The devices of one subsystem; of all where its name is empty. */
struct shelf {
	char *subsystem;
	struct udev_found *devices;
	size_t n, cap;
};

struct udev_scan {
	struct udev *udev;
	bool is_busy;		/* udev has events to process */
	struct shelf *shelves;
	size_t n, cap;
};

static struct udev *
udev_library(void)
{
	struct udev *u = udev_new();

	if (!u)
		die(EXIT_TROUBLE, 0, "out of memory");
	return u;
}

struct udev_scan *
udev_scan_new(void)
{
	struct udev_scan *l = xcalloc(1, sizeof *l);

	l->udev = udev_library();
	l->is_busy = access(queue, F_OK) == 0;
	return l;
}

void
udev_scan_free(struct udev_scan *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++) {
		for (size_t j = 0; j < l->shelves[i].n; j++)
			found_release(&l->shelves[i].devices[j]);
		free(l->shelves[i].devices);
		free(l->shelves[i].subsystem);
	}
	free(l->shelves);
	udev_unref(l->udev);
	free(l);
}

/*
 * Has udev finished with D?  Where udev has nothing to process, none is awaited:
 * a device from before udevd, and one of which no rule says anything, have no record.
 */
static bool
is_initialized(struct udev_device *d)
{
	return udev_device_get_is_initialized(d) || (major(udev_device_get_devnum(d)) == 0 &&
	    !udev_device_get_property_value(d, "IFINDEX"));
}

static void
shelf_fill(struct udev_scan *l, struct shelf *s)
{
	struct udev_enumerate *e = udev_enumerate_new(l->udev);
	struct udev_list_entry *entry;

	if (!e)
		die(EXIT_TROUBLE, 0, "out of memory");
	if (*s->subsystem)
		udev_enumerate_add_match_subsystem(e, s->subsystem);
	udev_enumerate_scan_devices(e);
	udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(e)) {
		struct udev_device *d = udev_device_new_from_syspath(l->udev,
		    udev_list_entry_get_name(entry));

		if (!d)
			continue;	/* it left meanwhile */
		if (l->is_busy && !is_initialized(d)) {
			udev_device_unref(d);
			continue;
		}
		s->devices = xgrow(s->devices, s->n, &s->cap, sizeof *s->devices);
		s->devices[s->n] = (struct udev_found){ .device = d };
		read_properties(&s->devices[s->n++]);
	}
	udev_enumerate_unref(e);
}

static const struct shelf *
shelf_of(struct udev_scan *l, const char *subsystem)
{
	struct shelf *s;

	/* only an exact name narrows the search */
	if (!subsystem || strpbrk(subsystem, "*?\\"))
		subsystem = "";
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->shelves[i].subsystem, subsystem) == 0)
			return &l->shelves[i];
	l->shelves = xgrow(l->shelves, l->n, &l->cap, sizeof *l->shelves);
	s = &l->shelves[l->n++];
	*s = (struct shelf){ .subsystem = xstrdup(subsystem) };
	shelf_fill(l, s);
	return s;
}

int
udev_scan_match(struct udev_scan *l, struct json match, udev_found_fn *fn, void *cookie)
{
	const struct shelf *s = shelf_of(l, json_get_text(match, "SUBSYSTEM"));
	int n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (udev_matches(match, &s->devices[i])) {
			if (fn)
				fn(&s->devices[i], cookie);
			n++;
		}
	return n;
}

struct udev_listener {
	struct udev *udev;
	struct udev_monitor *monitor;
};

struct udev_listener *
udev_listener_new(struct fail *f)
{
	struct udev_listener *l = xcalloc(1, sizeof *l);
	int r;

	l->udev = udev_library();
	l->monitor = udev_monitor_new_from_netlink(l->udev, "udev");
	r = l->monitor ? 0 : -errno;
	if (r == 0) {
		/* only root may pass the system's limit; with less, an overflow is reported */
		(void)udev_monitor_set_receive_buffer_size(l->monitor, LISTENER_BUFFER);
		r = udev_monitor_enable_receiving(l->monitor);
	}
	if (r < 0) {
		fail_errno(f, r, "udev's monitor");
		udev_listener_free(l);
		return NULL;
	}
	return l;
}

void
udev_listener_free(struct udev_listener *l)
{
	if (!l)
		return;
	udev_monitor_unref(l->monitor);
	udev_unref(l->udev);
	free(l);
}

int
udev_listener_fd(const struct udev_listener *l)
{
	return udev_monitor_get_fd(l->monitor);
}

bool
udev_matches_any(struct json matches, const struct udev_found *d)
{
	bool yes = false;

	for (size_t i = 0; !yes && i < json_count(matches); i++) {
		struct json m = json_at(matches, i);

		yes = udev_matches(m, d);
		json_release(&m);
	}
	return yes;
}

/* proc(5): the list has the sockets of the reader's network namespace alone. */
static bool
is_control_in_namespace(void)
{
	FILE *f = fopen("/proc/self/net/unix", "re");
	_cleanup_free_ char *line = NULL;
	size_t cap = 0, len = sizeof control - 1;
	bool found = !f;	/* without the list nothing can be said */

	while (f && !found) {
		ssize_t n = getline(&line, &cap, f);

		if (n < 0)
			break;
		found = (size_t)n > len + 1 && memcmp(line + n - 1 - len, control, len) == 0;
	}
	if (f)
		fclose(f);
	return found;
}

const char *
udev_listener_obstacle(void)
{
	if (access(control, F_OK) < 0)
		return "systemd-udevd is not running";
	return is_control_in_namespace() ? NULL : "systemd-udevd is not running, or runs in another network namespace";
}

int
udev_listener_next(struct udev_listener *l, udev_event_fn *fn, void *cookie)
{
	struct udev_found d = { .device = NULL };
	const char *action;

	errno = 0;
	d.device = udev_monitor_receive_device(l->monitor);
	if (!d.device)
		return errno == ENOBUFS ? -ENOBUFS : 0;
	action = udev_device_get_action(d.device);
	d.is_gone = action && strcmp(action, "remove") == 0;
	read_properties(&d);
	fn(&d, action ? action : "", cookie);
	found_release(&d);
	return 1;
}
