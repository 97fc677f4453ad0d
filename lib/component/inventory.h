/*
 * inventory - a file {"components":[...]} of what a device may consist of.
 *
 * An entry is a component's record (component.h) that may also say how it is
 * known to be here: "properties" with both "path" and "firmwareDataFile", a
 * "udev" match (udev.h), with "each":true for one component a device, and a
 * "probe", an argument vector.
 *
 * A member whose name is a slip of one that presence depends on ("Udev", "prob",
 * "firmwaredatafile"), and "path" or "firmwareDataFile" alone, leave it open how the
 * component is present: such an entry is never online.
 *
 * An inventory with a probe names programs, so it is used only if root, the
 * caller or the group GROUP alone could have written it; one without probes may
 * belong to any user.
 * Errors: EXIT_USAGE for what is wrong in it, naming file, entry and reason;
 * EXIT_DENIED; EXIT_TROUBLE for what is no regular file or cannot be read.
 */
#ifndef COMPONENT_INVENTORY_H
#define COMPONENT_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"

enum {
	INVENTORY_MAX = 64 << 20,		/* bytes */
	INVENTORY_ENTRIES_MAX = 1000000,
};

/*
 * Most entries of a long inventory only say what they are.  Such a plain one is
 * kept as its text: values of all of them would not fit into any cache.
 */
struct inventory_entry {
	struct json component;	/* without the members that follow; JSON_ABSENT for a plain one */
	struct json udev;	/* a match, or JSON_ABSENT */
	struct json probe;	/* an array of strings, or JSON_ABSENT */
	bool each;		/* with UDEV: a template */
	bool has_data_file;	/* "path" and "firmwareDataFile" */
	char *doubt;		/* why its presence cannot be determined; NULL for no doubt */
	size_t id;		/* where in the inventory's IDS it is */
	size_t text, text_len;	/* of a plain one: where in the inventory's TEXT; else 0 */
};

struct inventory {
	char *path;
	struct inventory_entry *entries;
	size_t n, cap;
	struct buf text;	/* of the file, compact (base/jsontext.h) */
	struct buf ids;		/* each with its NUL */
};

#define INVENTORY_INIT	{ NULL, NULL, 0, 0, BUF_INIT, BUF_INIT }

/* Borrowed with INV. */
const char *inventory_id(const struct inventory *inv, size_t i);

int inventory_load(const char *path, gid_t group, struct inventory *out, struct fail *f);
void inventory_release(struct inventory *inv);

/* The LEN bytes of TEXT, called PATH; *HAS_PROBE says whether any entry has one. */
int inventory_parse(const char *path, const char *text, size_t len, struct inventory *out,
    bool *has_probe, struct fail *f);

/* "PATH: components[I] ('ID')", for messages, added to OUT. */
void inventory_where(const char *path, size_t i, const char *id, struct buf *out);

#endif
