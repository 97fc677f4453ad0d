/*
 * table - rows in columns, for a person at a terminal.
 *
 * Columns are as wide as their widest cell, two blanks apart; no line ends in
 * blanks.  Widths are columns of the terminal: a wide character takes two, a
 * combining one none (utf8_columns()).  Control characters in a cell are shown
 * as \xHH, so that a hostile name cannot draw on the screen.
 *
 * A table that is to fit has its widest columns made narrower, down to
 * TABLE_NARROW; a cell that is too wide then has its middle replaced by "~",
 * since names and paths differ at their ends.  Sentences are read whole: a last
 * column that wraps continues below itself, and a word that is too wide for it,
 * such as a path, stays in one piece.
 *
 * A state is never shortened, and has a colour (ECMA-48, SGR): green is well, yellow is under way or needs
 * a look, red is not well; a word that the table of states does not have has none.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct table;

enum { TABLE_NARROW = 8 };

struct table *table_new(void);
void table_free(struct table *t);

/* The next cell of the current row; NULL is an empty one. */
void table_cell(struct table *t, const char *text);
void table_end_row(struct table *t);

/* The same; WORD is a state. */
void table_state(struct table *t, const char *word);

/* Let each line take at most COLUMNS; 0 is no limit. */
void table_fit(struct table *t, unsigned columns);

/* Wrap the last column where the table is too wide. */
void table_wrap(struct table *t);

/* Show states in colour. */
void table_colour(struct table *t);

/* Let the table fit the terminal FD, and be in colour unless NO_COLOR is set; neither where FD is none. */
void table_terminal(struct table *t, int fd);

/* The columns of the terminal FD; 0 where it is none. */
unsigned table_columns(int fd);

/* All rows into OUT. */
void table_format(const struct table *t, struct buf *out);

/* The columns that TEXT takes when it is escaped. */
size_t table_width(const char *text);

/* TEXT, escaped, and shortened or filled up with blanks to COLUMNS, added to OUT. */
void table_pad(const char *text, size_t columns, struct buf *out);

/* TEXT, with what a terminal would obey escaped as base/utf8.h has it, added to OUT. */
void table_escape(const char *text, struct buf *out);

#endif
