/*
 * html - records as one page that a browser explores: a list with a lane per
 * emitter, a time line, search, filters, and the causal past and future of a record.
 *
 * The page is one file with its script and style inside (output/page.h), and
 * loads nothing.  The records are JSON in it:
 *
 *	{"tool":T,"t0":"NS","lost":N,"levels":[NAME,...],
 *	 "records":[[DT,EMITTER,FLAGS,LEVEL,HEAD,TEXT,TAIL,LINE,ARROWS,MARK,MOVED],...],
 *	 "emitters":[[NAME,SOURCE,UNORDERED],...],"kinds":[[CLASS,RULE,LEARNED,BACK],...]}
 *
 * T0 is the time of the first record in ns since 1970, DT the ns since the record
 * before; either is a string where a double would round it.  The bytes of a record
 * are HEAD TEXT TAIL; FLAGS (enum html_flag) tell of exceptions.  LEVEL is -1, LINE 0,
 * MARK and RULE null where there is none.  ARROWS are [BACK,KIND,ID,...]: a constraint
 * with the record BACK places before this one (outside the page where there is none),
 * of the kind KIND, with the text of its id or null.  0 stands for no arrows; members
 * at the end that are 0 or null are left out.
 *
 * Whatever bytes a record holds, the page is well-formed: "<" is written as an escape.
 */
#ifndef OUTPUT_HTML_H
#define OUTPUT_HTML_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "output/model.h"

enum {
	HTML_RECORDS = 250000,		/* in a page at most; more would be too high for a browser to scroll */
	HTML_BYTES = 256 << 20,		/* of records, likewise */
	HTML_RAW = 64 << 10,		/* bytes of a record that are kept */
};

enum html_flag {
	HTML_INHERITED = 1,		/* the record has no time of its own */
	HTML_BASE64 = 2,		/* it is not UTF-8: HEAD is all of its bytes in base64, TEXT what can be shown */
	HTML_STOP = 4,			/* its emitter is gone after it */
	HTML_CUT = 8,			/* more than HTML_RAW bytes: the others are not here */
	HTML_APART = 16,		/* HEAD is all of its bytes, and TEXT was made from them */
};

struct html_style {
	size_t last;		/* only the last so many records; 0 for HTML_RECORDS */
};

struct html;

/* M, whose events are shown, is borrowed; its ALL is to be set. */
struct html *html_new(const struct html_style *style, const struct model *m);
void html_free(struct html *h);
void html_event(struct html *h, const struct event *e);

/* The document, of the last records; returns how many earlier ones it lacks, though they were wanted. */
uint64_t html_format(const struct html *h, struct buf *out);

#endif
