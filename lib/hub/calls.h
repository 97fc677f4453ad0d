/*
 * calls - the calls of the device that are open: files calls/ID.json, each what
 * dialect_call_json() makes, from their arrival until they are answered or expire.
 *
 * A call without a deadline expires after an hour.
 */
#ifndef HUB_CALLS_H
#define HUB_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "hub/dialect.h"

enum { CALLS_MAX = 1000, CALLS_EXPIRE_MS = 3600000 };

/*
 * Open the call E, at NOW_MS of wall time.  -EEXIST: it is open already; -ETIME: its
 * deadline has passed; -ENOSPC: too many are open.
 */
int calls_open(const char *dir, const struct dialect_event *e, int64_t now_ms, struct fail *f);

/* The open call ID; -ENOENT. */
int calls_find(const char *dir, const char *id, struct json *out, struct fail *f);

/* It is answered. */
void calls_close(const char *dir, const char *id);

/* Each call whose deadline passed before NOW_MS, which is removed afterwards. */
typedef void calls_fn(struct json call, void *cookie);
void calls_expire(const char *dir, int64_t now_ms, calls_fn *fn, void *cookie);

/* Each open call, in the order of their numbers. */
void calls_each(const char *dir, calls_fn *fn, void *cookie);

#endif
