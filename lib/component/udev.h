/*
 * udev - the devices that udev knows, and hearing of their coming and going.
 *
 * A match is a JSON object of what a device must have, all of it:
 *
 *	{"SUBSYSTEM":"usb","ID_VENDOR_ID":"abcd","attr:bcdDevice":"*"}
 *
 * A key is a property of udev's (udevadm info shows them), or "attr:" and a
 * file of the device's directory in /sys.  A value is a pattern for all of the
 * property: "*" is any text, "?" any byte, "\" takes the next byte as it is.
 *
 * Only this module knows libudev.
 */
#ifndef COMPONENT_UDEV_H
#define COMPONENT_UDEV_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"

/* A device, borrowed for the call. */
struct udev_found;

/* Its directory in /sys. */
const char *udev_found_path(const struct udev_found *d);

/* The same before an event that moved or renamed it, added to OUT; nothing where it did not. */
void udev_found_old_path(const struct udev_found *d, struct buf *out);

/* Its property or "attr:NAME", borrowed with D; NULL where it has none. */
const char *udev_found_get(const struct udev_found *d, const char *name);

/* Can NAME be a property, or "attr:" and a file below the device's directory? */
bool udev_is_name(const char *name);

/* Is MATCH one?  F, after WHERE and a colon, says why not: EXIT_USAGE. */
int udev_check_match(struct json match, const char *where, struct fail *f);

bool udev_matches(struct json match, const struct udev_found *d);

/* Does any of MATCHES, an array, fit D? */
bool udev_matches_any(struct json matches, const struct udev_found *d);

/*
 * One scan of the devices: each subsystem is read when it is first needed, and
 * not again.  While udev has events to process, a device that it has not
 * initialised yet is left out: its properties are still to come.
 */
struct udev_scan;

struct udev_scan *udev_scan_new(void);
void udev_scan_free(struct udev_scan *l);

typedef void udev_found_fn(const struct udev_found *d, void *cookie);

/* Call FN, unless it is NULL, for each device that matches, in the order of their paths; returns how many. */
int udev_scan_match(struct udev_scan *l, struct json match, udev_found_fn *fn, void *cookie);

/*
 * The monitor: a descriptor that is readable when udev has processed an event.
 */
struct udev_listener;

/* NULL with F filled where the kernel refuses it. */
struct udev_listener *udev_listener_new(struct fail *f);
void udev_listener_free(struct udev_listener *l);
int udev_listener_fd(const struct udev_listener *l);

/*
 * Why a listener receives nothing here, for a message: systemd-udevd does not run,
 * or runs in another network namespace (its messages do not leave its own).
 * NULL where nothing is known to be in the way.
 */
const char *udev_listener_obstacle(void);

/*
 * Call FN with the next event and its ACTION ("add", "remove", "change", "move", ...).
 * Returns 1 after an event, 0 where there is none now, -ENOBUFS where events
 * were lost.  A device that is gone has no attributes left: matches ignore them.
 */
typedef void udev_event_fn(const struct udev_found *d, const char *action, void *cookie);
int udev_listener_next(struct udev_listener *l, udev_event_fn *fn, void *cookie);

#endif
