/*
 * shiviz - records with vector clocks, for ShiViz and TSViz.
 *
 *	(?<host>\S*) (?<clock>{.*})\n(?<event>.*)	how the rest is to be parsed
 *						no separator of executions
 *	watch {"watch":2,"retry":1}		a record: its emitter and clock,
 *	camera-2 arrived			and its text
 *
 * The clock of a record counts the records of its emitter up to it and, of each
 * other emitter, those that it follows: by the constraints of the event model,
 * and by the order of each emitter.  A constraint that is violated counts for
 * nothing.  Blanks in the name of an emitter are written as underscores; if another
 * emitter is called so already, a number is added: x_y and x_y_2.
 */
#ifndef OUTPUT_SHIVIZ_H
#define OUTPUT_SHIVIZ_H

#include "base/buf.h"
#include "output/model.h"

struct shiviz;

/* M, whose events it writes, is borrowed.  LAST: only the last so many of them; 0 for all. */
struct shiviz *shiviz_new(const struct model *m, unsigned long last);
void shiviz_free(struct shiviz *s);

/* The two lines of E, which comes next, into OUT; before the first the head.  With LAST they are kept. */
void shiviz_event(struct shiviz *s, const struct event *e, struct buf *out);

/* With LAST: what was kept, into OUT. */
void shiviz_flush(struct shiviz *s, struct buf *out);

#endif
