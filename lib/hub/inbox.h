/*
 * inbox - the submissions of in/ on their way into the outbox and to the hub: scanned when
 * inotify(7) says so, and every 10 s; what is left behind by killed programs is removed.
 *
 * Of a submission only {"kind","key","value","time","wait"} come into a record.
 */
#ifndef HUB_INBOX_H
#define HUB_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/logger.h"
#include "base/loop.h"
#include "hub/authority.h"
#include "hub/dialect.h"
#include "hub/outbox.h"
#include "hub/outcalls.h"

struct inbox_spec {
	struct loop *loop;
	const char *dir;		/* of the link */
	struct authority authority;
	const struct dialect *dialect;
	struct outbox *outbox;
	struct outcalls *outcalls;
	struct logger log;
	void (*changed)(void *cookie);	/* records were added, or something was refused */
	void *cookie;
};

struct inbox_counts {
	int64_t accepted, refused;
	bool full;		/* urgent submissions wait for room */
};

struct inbox;

/* What SPEC points to is borrowed. */
struct inbox *inbox_new(const struct inbox_spec *spec);
void inbox_free(struct inbox *i);

/* Take a slice of what is there; the rest follows from the loop. */
void inbox_scan(struct inbox *i);

void inbox_get_counts(const struct inbox *i, struct inbox_counts *counts);

#endif
