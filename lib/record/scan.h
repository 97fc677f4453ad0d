/*
 * scan - where the members of a JSON object, the pairs of a logfmt line or the
 * fields of a journal's entry stand.
 *
 * Nothing is decoded and nothing is checked beyond what is needed to find the
 * next member: a log may be torn anywhere, and a record that is not understood
 * is passed through all the same.  For values that are used as data there is
 * base/json.h; this is for the time of every line of a large file.
 */
#ifndef RECORD_SCAN_H
#define RECORD_SCAN_H

#include <stdbool.h>

#include "record/regex.h"

struct scan {
	const char *p, *end;
};

/* KEY and VALUE of the next top-level member, without their quotes; false at the end. */
bool scan_json(struct scan *s, struct span *key, struct span *value);

/* The next key=value, the value without its quotes; false at the end. */
bool scan_logfmt(struct scan *s, struct span *key, struct span *value);

/* The next field of an entry in journald's export format, whose value may hold any byte. */
bool scan_export(struct scan *s, struct span *key, struct span *value);

#endif
