/*
 * opt_help - the table of a tool's options as text for a person.
 *
 * --help is at most 80 columns wide: the usage, the purpose, an option a line
 * with its choices and default, what the units are, the exit statuses and an
 * example.
 */
#ifndef BASE_OPT_HELP_H
#define BASE_OPT_HELP_H

#include "base/opt.h"

/* --help of TOOL on stdout. */
void opt_help(const struct opt_tool *tool);

/*
 * The table on stdout, for the generator (test/generate/run.sh), a line each with a tab between
 * fields, "-" for an empty one, newline and tab of the synopsis as "\n" and "\t":
 *
 *	tool NAME PURPOSE
 *	synopsis TEXT
 *	operands none|texts|files|tools|peers|tasks|listed WORDS command|- STOP AFTER
 *	option LETTER|- NAME ARG|- CHOICES|- DEFAULT|- repeats|- SAMPLES|- HELP
 *	statuses TEXT
 *	example TEXT
 */
void opt_help_print(const struct opt_tool *tool);

#endif
