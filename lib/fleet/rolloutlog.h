/*
 * rolloutlog - the journal of a rollout: which devices were asked, and their outcomes, as
 * JSON Lines in one file, to which lines are only added.
 *
 *	{"id":HLC,"rollout":TEXT,"seed":TEXT,"action":[WORD,...],"via":TEXT,"waves":TEXT,
 *	 "devices":N,"digest":TEXT}			the first line
 *	{"id","asked":I,"device":NAME,"attempt":N,"deadline":MS}
 *	{"id","outcome":WORD,"n":I,"device":NAME, other members of the outcome}
 *	{"id","halted":true}   {"id","halted":false}	the latter: resumed
 *
 * I is the device's place in the order of the roster, which the seed gives; MS is wall
 * time.  A device is asked after its line is on disk (rolloutlog_sync()), so a run that was
 * killed at any instruction and is continued knows each device that it may have asked.
 * Of lines with one I the last one counts.
 *
 * The file is locked while a run has it.  Without a file the journal is in memory alone.
 */
#ifndef FLEET_ROLLOUTLOG_H
#define FLEET_ROLLOUTLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"

/* What a rollout is: a run continues only the one that has the same. */
struct rolloutlog_head {
	char *const *action;	/* NULL-terminated */
	const char *via, *waves;
	uint32_t devices;
	const char *digest;
};

struct rolloutlog;

/*
 * PATH, made with mode 0600 where it is missing or empty; NULL for none.  EXIT_BUSY where another
 * run has it; EXIT_USAGE where it is no journal, or of another rollout than HEAD.
 */
int rolloutlog_open(const char *path, const struct rolloutlog_head *head, struct rolloutlog **out, struct fail *f);
void rolloutlog_close(struct rolloutlog *l);

/* It had a rollout when it was opened. */
bool rolloutlog_is_continued(const struct rolloutlog *l);
bool rolloutlog_is_kept(const struct rolloutlog *l);	/* in a file */
const char *rolloutlog_id(const struct rolloutlog *l);	/* of the rollout, borrowed */
uint64_t rolloutlog_seed(const struct rolloutlog *l);

/* Each line after the first to FN; one that cannot be read is counted in *DAMAGED and left out. */
typedef void rolloutlog_fn(struct json line, void *cookie);
int rolloutlog_replay(struct rolloutlog *l, rolloutlog_fn *fn, void *cookie, int64_t *damaged, struct fail *f);

/* Add a line, which gets its "id"; LINE is taken. */
int rolloutlog_add(struct rolloutlog *l, struct json line, struct fail *f);

/* What was added is on disk. */
int rolloutlog_sync(struct rolloutlog *l, struct fail *f);

#endif
