/*
 * pattern - a kind of records as a regular expression for rules, and in words for
 * people.
 *
 * A kind is the pieces of its template, which learn/template gathers: the struct is
 * open to it.
 */
#ifndef LEARN_PATTERN_H
#define LEARN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A part of a template: text, a value in text, or a member of a JSON object. */
struct template_piece {
	char *text;			/* literal; the name of a member */
	enum { PIECE_TEXT, PIECE_VALUE, PIECE_MEMBER /* with TEXT2 as its value */, PIECE_OPEN, PIECE_CLOSE, PIECE_SLOT } what;
	char *text2;
	uint32_t slot;
};

struct template_kind {
	struct template_piece *v;
	size_t n, cap;
	bool json, cut;			/* CUT: its text is longer than what is looked at */
	size_t before_min, before_max;
};

/* A regular expression for the records of K, with the value in SLOT as the group "id", added to OUT. */
void pattern_put(const struct template_kind *k, uint32_t slot, struct buf *out);

/* The template of K, with "*" for values and "<id>" for that of SLOT, added to OUT. */
void pattern_describe(const struct template_kind *k, uint32_t slot, struct buf *out);

#endif
