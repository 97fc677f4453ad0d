/*
 * readiness_note - one file of a peer's readiness (ready/readiness.h): lines KEY=VALUE.
 *
 *	boot=ID		the boot in which it was written
 *	agent=ID peer=ID	incarnations: 1 to 128 bytes without controls
 *	made=N		time of writing in microseconds, CLOCK_BOOTTIME
 *	verdict=NAME ended=yes|no	of a cycle
 */
#ifndef READY_READINESS_NOTE_H
#define READY_READINESS_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bootid.h"
#include "base/buf.h"
#include "ready/verdict.h"

enum { READINESS_ID = 129, READINESS_BOOT = BOOTID_SIZE };	/* sizes with the NUL */

/* May the LEN bytes S name an incarnation: do they stand on one line, and fit? */
bool readiness_note_is_id(const char *s, size_t len);

/* Copy the name VALUE to ID, which stays where it is none. */
void readiness_note_set_id(const char *value, size_t len, char id[READINESS_ID]);

/* The content of one of the files; members that it does not have are 0. */
struct readiness_note {
	bool is_there;			/* the file exists and is of this boot */
	char boot[READINESS_BOOT];
	char agent[READINESS_ID], peer[READINESS_ID];	/* incarnations */
	int64_t made_us;		/* time of writing, CLOCK_BOOTTIME */
	enum readiness_verdict verdict;		/* with which the cycle was begun */
	bool ended;			/* the end of the cycle was seen */
};

/* Unknown keys and impossible values are ignored. */
void readiness_note_parse(const char *text, size_t len, struct readiness_note *n);
void readiness_note_format(const struct readiness_note *n, struct buf *out);

#endif
