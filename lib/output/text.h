/*
 * text - a record as text: its bytes, with what the style puts before them.
 *
 * On a terminal what it would obey is escaped, see base/utf8.h.
 */
#ifndef OUTPUT_TEXT_H
#define OUTPUT_TEXT_H

#include "output/writer.h"
#include "record/source.h"
#include "record/zone.h"

struct shown;
struct render_style;

/* A source's name, or what holds one: for a TERMINAL, what it would obey is escaped, newlines too. */
void text_name(struct writer *w, const char *name, bool terminal);

/* What records share; zero it. */
struct text_output {
	struct zone *zone;	/* of the stamps, NULL before the first; zone_free() it */
};

/* The record of X, whose further pieces come from S; returns the last byte written, or '\n' for none. */
char text_record(struct text_output *t, struct writer *w, const struct render_style *style, struct source *s, const struct shown *x);

#endif
