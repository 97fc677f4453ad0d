/*
 * result_journal - the results of all workflows on this device: STATE/journal.jsonl,
 * a record a line.
 *
 *	{"id","time","workflow","step","component","phase","resultCode",
 *	 "extendedResultCode","details"}
 *
 * Ids only grow, whatever the clock does (base/hlc.h).  A result counts as known
 * once it is on disk: one that could not be written is kept in memory, and written
 * before the next one.
 */
#ifndef DEPLOY_RESULT_JOURNAL_H
#define DEPLOY_RESULT_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "deploy/cycle.h"

struct result_journal;

/* In the state directory DIR. */
int result_journal_open(const char *dir, struct result_journal **out, struct fail *f);

/* J may be NULL. */
void result_journal_close(struct result_journal *j);

/* A number that was never given before in DIR. */
int64_t result_journal_next_id(struct result_journal *j);

/* The record of R, a result of WORKFLOW, with an id of its own. */
struct json result_journal_record(struct result_journal *j, const char *workflow, const struct cycle_result *r);

/*
 * Append RECORD; what changed the device (IS_CHANGE) is on disk when this returns 0.
 * Otherwise it is kept, as said above, and F is why.
 */
int result_journal_add(struct result_journal *j, struct json record, bool is_change, struct fail *f);

/* Write what was kept, and put all on disk: 0, or -errno with F filled. */
int result_journal_sync(struct result_journal *j, struct fail *f);

#endif
