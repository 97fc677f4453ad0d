/*
 * reader - the configurations and the open calls of a link, as they are and, on
 * request, as they change: for instances, which read them through rejoin-hub.
 *
 *	{"instance","topic","value","id"}	value: a string, {"base64":TEXT} where it is
 *						not UTF-8, null where it was deleted; id
 *						differs for each value
 *	{"id","instance","method","params","deadline"}
 *
 * A change is a hint (inotify(7)): the directories are read anew, so that of values
 * that replace each other quickly only the last may be seen, and none is missed.
 */
#ifndef HUB_READER_H
#define HUB_READER_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"

/* Returns 0, or a negative errno to stop. */
typedef int reader_fn(struct json record, void *cookie);

/*
 * Each value of INSTANCE (NULL for all) to FN, in the order of their names; with
 * FOLLOW then each change, until FN returns an error.
 */
int reader_config(const char *dir, const char *instance, bool follow, reader_fn *fn, void *cookie, struct fail *f);

/* The same for open calls, oldest first. */
int reader_calls(const char *dir, const char *instance, bool follow, reader_fn *fn, void *cookie, struct fail *f);

#endif
