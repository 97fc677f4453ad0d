/*
 * doubt - what was not understood of a source, in the words for its user.
 *
 * Doubts are found in the first bytes of a source, when it is opened.
 */
#ifndef RECORD_DOUBT_H
#define RECORD_DOUBT_H

#include "base/fail.h"
#include "record/source.h"

enum doubt {
	DOUBT_TIMES = 1,	/* no line has a time stamp */
	DOUBT_FORMAT = 2,	/* the format that was named matches no line */
	DOUBT_UTF16 = 4,
	DOUBT_BINARY = 8,
	DOUBT_CR = 16,		/* lines end with a carriage return alone */
	DOUBT_DAY_ORDER = 32,	/* day and month could be the other way round */
	DOUBT_YEAR_ORDER = 64,	/* of 17/06/09 the year could be the last */
	DOUBT_ZONE = 128,	/* an abbreviation that several zones use */
	DOUBT_LEVEL = 256,	/* no level is found, and one was asked for */
};

/* The doubts about S by the N bytes of its beginning TEXT; NAMED: the user named its format. */
unsigned doubt_find(const struct source *s, const char *text, size_t n, bool named);

/* Is no level found in the records of S? */
bool doubt_level(const struct source *s);

/* The lowest doubt of the set *DOUBTS, which leaves it, into F with its hint (EXIT_OK); false for none. */
bool doubt_next(const struct source *s, unsigned *doubts, struct fail *f);

#endif
