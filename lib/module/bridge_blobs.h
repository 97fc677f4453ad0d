/*
 * bridge_blobs - blobs of an instance, fetched and stored by "rejoin-hub blob", at most BLOBS_MAX at once.
 *
 * A file is one below the instance's home, and is reached without a symbolic link.  The bridge
 * runs as the instance's user, so the program can reach no more than the instance itself.
 */
#ifndef MODULE_BRIDGE_BLOBS_H
#define MODULE_BRIDGE_BLOBS_H

#include "base/loop.h"
#include "module/sdk.h"

enum { BRIDGE_BLOBS_MAX = 10 };

struct bridge_blobs;

/* E, an SDK_EVENT_BLOB, is the callee's. */
typedef void bridge_blob_fn(const struct sdk_event *e, void *cookie);

struct bridge_blobs *bridge_blobs_new(struct loop *l, const char *home, bridge_blob_fn *fn, void *cookie);

/* Those that run are ended, without an event. */
void bridge_blobs_free(struct bridge_blobs *b);

/* Begin R, a request of SDK_BLOB.  SDK_INVAL for a file that may not be, SDK_DENIED over the maximum. */
enum sdk_result bridge_blobs_start(struct bridge_blobs *b, const struct sdk_request *r);

#endif
