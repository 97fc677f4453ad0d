/*
 * enumerate_item - one component on its way into the list: what it says of itself,
 * and what was found out about its presence.  Only component/enumerate.c uses it.
 */
#ifndef COMPONENT_ENUMERATE_ITEM_H
#define COMPONENT_ENUMERATE_ITEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "component/component.h"
#include "component/enumerate.h"

/* Where an item's problems go. */
struct enumerate_report {
	void (*problem)(const struct fail *f, void *cookie);
	void *cookie;
};

/* A component on its way into the list. */
struct enumerate_item {
	struct enumeration *owner;
	const struct enumerate_report *report;
	const char *path;		/* of its inventory */
	struct json component, udev, probe;
	const char *text;		/* instead of COMPONENT: its members but the state */
	size_t text_len;
	const char *id;
	size_t inventory, entry;	/* where it stands */
	bool has_data_file;
	const char *doubt;		/* the inventory's: why its presence is unknown; or NULL */
	char *device;			/* the one a template was filled in from, or NULL */
	enum component_state state;
	char *reason;			/* why it is not online */
	bool dropped;
};

/* "FILE: components[N] (DEVICE)", added to OUT. */
void enumerate_item_location(const struct enumerate_item *i, struct buf *out);

void enumerate_item_problem(const struct enumerate_item *i, enum exit_status status, const char *fmt, ...) PRINTF(3, 4);

/* One source says STATE, for REASON.  Everything that says how it is here must agree: offline is the last word, then unreadable. */
void enumerate_item_decide(struct enumerate_item *i, enum component_state state, const char *reason);

/*
 * Merge DATA, which the component itself provides in SOURCE: all members or none.
 * A component must not choose its own update, so reserved members are ignored.
 */
void enumerate_item_merge(struct enumerate_item *i, struct json data, const char *source);

/* The data file's path, from the inventory's directory where it is relative; NULL for none.  To be freed. */
char *enumerate_item_data_file(const struct enumerate_item *i);

void enumerate_item_release(struct enumerate_item *i);

#endif
