/*
 * live - the causal merge of what comes while the tool runs.
 *
 * The watermark policy is causal/realtime.  As causal/batch, but for these: nothing is known of what has not come yet, so
 * a record waits for
 *
 *	HOLD	if some other source is behind its time, for what that may still bring;
 *	PATIENCE	if a record that belongs before it is known to be missing,
 *
 * both from when it came, by the clock.  What was there at the start is merged
 * as causal/batch has it.  All that has come is read until nothing is left; then
 * nothing happens before the next wake or the next deadline.
 */
#ifndef LOG_LIVE_H
#define LOG_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/loop.h"
#include "input/feed.h"
#include "input/source_spec.h"
#include "record/format.h"
#include "causal/scheduler.h"
#include "output/filter.h"
#include "output/render.h"

struct live_spec {
	struct scheduler_spec merge;	/* but for what live_new() sets: LIVE, PRINT, COOKIE */
	const struct filter *filter;	/* NULL: all records are printed */
	int64_t hold_ms, patience_ms;
	int64_t watermark_ms;		/* a watermark is printed once in so long at most; 0: none is */
	int64_t idle_ms;		/* as in struct realtime */
	bool once;			/* end where the sources end, for now; until then all are held as HOLD has it */
	const struct formats *formats;
	struct domains *domains;	/* of the clocks; borrowed */
	bool estimate;			/* their offsets are estimated while records come */
	void (*offset)(const char *clock, int64_t ns);	/* an estimate has changed; CLOCK is NULL as in struct run */
	/* A source begins, its format is known. */
	void (*opened)(struct source *s, void *cookie);
	/* All that came at first is out. */
	void (*caught_up)(void *cookie);
	/* Records went out, and are written. */
	void (*written)(void *cookie);
	void (*tell)(const struct fail *f, void *cookie);
	void *cookie;
};

struct live;

/* SPEC is copied; the loop is stopped, with EXIT_OK, when all feeds have ended. */
struct live *live_new(struct loop *l, const struct live_spec *spec, struct render *out, struct causal_count *count);
void live_free(struct live *v);

/* Follow FEED, which it takes, for SPEC; STATE is what live_save() wrote for it, or JSON_ABSENT. */
int live_add(struct live *v, const struct source_spec *spec, struct feed *feed, struct json state, struct fail *f);

/* Is there a source of that name; of any, for NULL? */
bool live_has(const struct live *v, const char *name);

/* Wait no longer: all that is held goes out. */
void live_drain(struct live *v);

/* Where each source is to go on, as members of STATE. */
void live_save(struct live *v, struct json *state);

/*
 * What belongs to no single source, into STATE, the whole one, and back: the offsets
 * of clocks that were estimated, and what came from one of two twins.
 */
void live_save_shared(const struct live *v, struct json *state);
void live_load_shared(struct live *v, struct json state);

/* Bytes and records that are held. */
void live_held(const struct live *v, size_t *bytes, size_t *records);

#endif
