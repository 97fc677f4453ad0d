/*
 * watcher - notice that components came back, once a burst.
 *
 * After an edge it waits until things are quiet, looks at all components and
 * compares them with the last snapshot acted on (component/snapshot.h).  What
 * is new goes out; only when whoever got it says that it was acted on does the
 * new snapshot take the place of the old.  Else there is another look, later
 * and later, and what is new then goes out again.  So no edge that is lost or
 * doubled, and no failure behind it, can lose or double an arrival.
 *
 * A look at which an inventory was refused says nothing of that inventory's
 * components.  With nothing to compare with, the first look says nothing.
 */
#ifndef COMPONENT_WATCHER_H
#define COMPONENT_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "component/trigger.h"

struct watcher_spec {
	struct trigger_spec edges;	/* its inventories and group are those looked at */
	const char *state;		/* the snapshot's file; NULL for none */
	int64_t settle_ms;		/* quiet for so long; at most WATCHER_UNSETTLED times that */
	int64_t rescan_ms, poll_ms;	/* 0 for never */
	bool all;			/* hand out the events that wake nobody, too */
	bool once;			/* one look, no edges */
};

enum { WATCHER_UNSETTLED = 10 };

struct watcher_callbacks {
	/* Act on EVENTS (never none), an array; watcher_acted() when done. */
	void (*offer)(struct json events, void *cookie);
	/* What is wrong (or, EXIT_OK, just odd); not said again while it stays so. */
	void (*problem)(enum exit_status status, const char *text, void *cookie);
	/* The first look was taken, and the edges are listened to. */
	void (*ready)(void *cookie);
	/* Nothing more to do: the one look was taken, or the first one failed. */
	void (*end)(enum exit_status status, void *cookie);
	void *cookie;
};

struct watcher;

/* NULL with F filled where the state file is none.  SPEC and L must live as long. */
struct watcher *watcher_new(struct loop *l, const struct watcher_spec *spec,
    const struct watcher_callbacks *tell, struct fail *f);

/* What was offered was acted on, or not: WHY for the user. */
void watcher_acted(struct watcher *w, bool acted, const char *why);

/* No more looks: nothing will be offered; what is offered can still be acted on. */
void watcher_stop(struct watcher *w);

/*
 * After loop_run(); W may be NULL.  It has a stage of the shutdown (base/loop.h), which
 * runs after those of what was made later: so the command acts on events first.
 */
void watcher_free(struct watcher *w);

#endif
