/*
 * component - one part of the device, as a JSON record.
 *
 *	{"id","name","group","manufacturer","model","version","state","properties":{}}
 *
 * All but "id" and "state" are optional; "properties" is an object, the other
 * named members are strings of at most 4096 bytes, without a NUL.  Further
 * members are passed through.  One that is offline or unreadable may have a
 * "reason".  The tools hand such records to each other, one a line.
 */
#ifndef COMPONENT_COMPONENT_H
#define COMPONENT_COMPONENT_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"

enum { COMPONENT_TEXT_MAX = 4096 };	/* bytes of each of the named strings */

enum component_state {
	COMPONENT_ONLINE,
	COMPONENT_OFFLINE,
	COMPONENT_UNREADABLE,	/* there, but its version cannot be read: never the same as absent */
};

/* Borrowed from C, which component_check() found right. */
const char *component_id(struct json c);
enum component_state component_state(struct json c);

const char *component_state_name(enum component_state s);
void component_set_state(struct json *c, enum component_state s);

/*
 * Is C an object with an id, and are its named members what they must be?
 * WHERE is the file and the entry, for the message: EXIT_USAGE.  A record
 * without a state passes (an inventory's entry has none).
 */
int component_check(struct json c, const char *where, struct fail *f);

/* The same for one member; a name that is none of ours passes. */
int component_check_member(const char *key, struct json value, const char *where, struct fail *f);

/* Is KEY one of the members that are strings? */
bool component_is_text_member(const char *key);

#endif
