/*
 * refusals - which refusals are logged: REFUSALS_TOLD in a minute, and of the others their
 * number, so that a peer that sends rubbish fills no journal.
 */
#ifndef HUB_REFUSALS_H
#define HUB_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/logger.h"

enum { REFUSALS_TOLD = 20, REFUSALS_MS = 60000 };

/* Zero it. */
struct refusals {
	int64_t since_ms;	/* the minute's begin */
	int told;		/* in it */
	int64_t untold;
};

/*
 * Something was refused at NOW_MS: may it be logged?  The number of those of an earlier
 * minute that were not is logged first, as "N more WHAT refused".
 */
bool refusals_may_tell(struct refusals *r, int64_t now_ms, const struct logger *log, const char *what);

#endif
