/*
 * record - what the last restart of an agent came to, for those who waited for
 * their turn to restart it as well: restart/NAME.last in the runtime directory,
 * KEY=VALUE lines, replaced by whoever has the turn (agent/slot.h).
 */
#ifndef AGENT_RECORD_H
#define AGENT_RECORD_H

#include "agent/life.h"
#include "agent/profile.h"
#include "agent/reason.h"
#include "base/fail.h"

struct record {
	int64_t acted_ms;		/* when it was begun, on the clock of boot */
	char incarnation[LIFE_NAME];	/* that was there after it */
	enum exit_status status;	/* of the restart */
	char text[REASON_MAX + 1];	/* what there was to say of it */
};

/* FILE of P's restarts, which is in the runtime directory.  To be freed. */
char *record_path(const struct profile *p, const char *file);

int record_write(const struct profile *p, const struct record *r, struct fail *f);

/* -ENOENT where there is none of this boot that can be read. */
int record_read(const struct profile *p, struct record *r);

int record_parse(const char *text, size_t len, struct record *r);

#endif
