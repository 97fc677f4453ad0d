/*
 * opt - the command line of a tool, declared once.
 *
 * A tool has one struct opt_tool: its purpose, synopsis, options, operands,
 * exit statuses and an example.  The scan of the command line, --help, the
 * completions of bash, zsh and fish, and the option list of the manual page
 * all come from it; the last two by "make generate", which runs the tool with
 * the sole argument --print-options (base/opt_help.h).
 *
 * Grammar.  Options and operands may be mixed up to the first "--" that is not
 * the argument of an option.  "-a -b", "-ab", "-A NAME", "-ANAME", "--agent
 * NAME", "--agent=NAME" and an unambiguous beginning of a long name, "--ag",
 * are as getopt_long(3) has them.  No option has an optional argument.  "-" is
 * an operand.  What follows "--" is the command of a tool that takes one, and
 * operands of any other.  A tool may end the scan at its first operand, or at
 * the operand that is a given word: the rest of the line is then operands.
 * (getopt_long(3) is not used: its permutation loses the place of the "--".)
 *
 * The unit of an argument follows from its name, which is the same in all tools:
 *
 *	DUR	a duration: a number with the unit ms, s, m, h or d (base/num.h)
 *	SIZE	bytes, or a number with the unit K, M or G
 *	N	a whole number
 *	FILE	a file; - DIR a directory; ARGV a command, split as by argv_split()
 *
 * Errors: a wrong command line ends the tool, with EXIT_USAGE or the status of
 * opt_passes_on(), after "NAME: OBJECT: REASON" and a hint, which names the
 * nearest option or choice where one is near.
 *
 * --help, --version, --quiet, --verbose and --syslog are answered by the scan.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

struct opt {
	int key;		/* its letter, or a value over 255 for none */
	const char *name;	/* its long name, without dashes */
	const char *arg;	/* its argument's name, or NULL for a flag */
	const char *help;	/* one line, no capital, no full stop, neither default nor choices */
	const char *choices;	/* the words that its argument may be, a blank between; NULL for any text */
	const char *preset;	/* what holds where it is not given, in words; NULL for nothing to say */
	const char *samples;	/* words to begin with, for the completions, where it has no choices */
	bool repeats;		/* each of several counts; else the last one does */
};

/* Keys of options without a letter; a tool's own begin at OPT_OWN. */
enum {
	OPT_KEY_SYSLOG = 256, OPT_KEY_FORMAT, OPT_KEY_JSON, OPT_KEY_TIMEOUT, OPT_KEY_WAIT,
	OPT_OWN = 300,
};

/* What means the same in every tool. */
#define OPT_AGENT	{ 'A', "agent", "NAME", "use the profile NAME", .preset = "REJOIN_AGENT, else the link default, else rejoin" }
#define OPT_FORMAT(list, why)	\
	{ OPT_KEY_FORMAT, "format", "F", "output format", .choices = (list), .preset = (why) }
#define OPT_JSON	{ OPT_KEY_JSON, "json", NULL, "same as --format=jsonl" }
#define OPT_TIMEOUT(what, why)	{ OPT_KEY_TIMEOUT, "timeout", "DUR", (what), .preset = (why) }
#define OPT_WAIT(what)	{ OPT_KEY_WAIT, "wait", NULL, (what) }
#define OPT_QUIET	{ 'q', "quiet", NULL, "report errors only" }
#define OPT_VERBOSE	{ 'v', "verbose", NULL, "report each step" }
#define OPT_SYSLOG	{ OPT_KEY_SYSLOG, "syslog", NULL, "report to syslog as well" }
#define OPT_HELP	{ 'h', "help", NULL, "print this help and exit" }
#define OPT_VERSION	{ 'V', "version", NULL, "print the version and exit" }
#define OPT_END		{ 0, NULL, NULL, NULL }

/* The end of every table. */
#define OPT_COMMON	OPT_QUIET, OPT_SYSLOG, OPT_VERBOSE, OPT_HELP, OPT_VERSION, OPT_END

/* What the operands are, for the completions. */
enum opt_operands {
	OPT_NO_OPERANDS,	/* an operand is misuse */
	OPT_TEXTS,		/* nothing that a shell could complete */
	OPT_FILES,
	OPT_TOOLS,		/* a tool of the toolkit and its own arguments */
	OPT_PEERS,		/* after a sub-command, a peer of rejoin-ready */
	OPT_TASKS,		/* after a sub-command that takes one, an id of rejoin-task list */
	OPT_LISTED,		/* the first words of the lines that the tool prints with --list */
};

struct opt_tool {
	const char *purpose;	/* one line, no capital, no full stop: the page's .Nd */
	const char *synopsis;	/* what follows the name; '\n' begins another form, '\n\t' goes on with one */
	const struct opt *opts;	/* in the order of --help, ended by OPT_COMMON or OPT_END */
	enum opt_operands operands;
	const char *words;	/* fixed words that may be the first operand, a blank between; NULL for none */
	const char *after;	/* "a:x y,b:z": the words that may follow such a word; NULL for none */
	bool has_command;	/* what follows "--" is a command */
	const char *stop;	/* the operand that ends the scan; "" is any; NULL is none */
	const char *statuses;	/* "0 all are well; 1 one is not; ...": those of the page */
	const char *example;	/* a command line */
};

struct opt_scan {
	const struct opt_tool *tool;
	/* of the option that opt_next() returned */
	const struct opt *opt;
	char *arg;		/* its argument; NULL for a flag */
	/* after opt_next() has returned -1 */
	char **operands;	/* NULL-terminated; never NULL */
	int n_operands;
	char **command;		/* what follows "--", NULL-terminated, maybe empty; NULL without a "--" */
	int separator;		/* the index of that "--" in the argv of opt_begin(); -1 without one */
	/* the scan's own */
	char **argv;
	int argc, next;		/* the element that is scanned next */
	const char *cluster;	/* what is left of "-abc"; NULL for nothing */
};

/* Begin to scan ARGV, whose pointers are put in another order and must stay as long as S is used. */
void opt_begin(struct opt_scan *s, int argc, char *argv[], const struct opt_tool *tool);

/* The next option's key; -1 after the last, with the operands set. */
int opt_next(struct opt_scan *s);

/* The element after the argument of the current option, for an option with two; NULL where there is none. */
char *opt_another(struct opt_scan *s);

/* Misuse where there is an operand. */
void opt_no_operands(const struct opt_scan *s);

/* The current option's argument as a duration in milliseconds. */
int64_t opt_duration(const struct opt_scan *s);

/* The same as a number from LO to HI. */
int64_t opt_number(const struct opt_scan *s, int64_t lo, int64_t hi);

/* The same as a size in bytes, from LO to HI. */
int64_t opt_size(const struct opt_scan *s, int64_t lo, int64_t hi);

/* The same as the index of a word of the option's choices. */
unsigned opt_choice(const struct opt_scan *s);

/*
 * The index of what REJOIN_FORMAT says among the choices of TOOL's --format; -1
 * where it is not set, or TOOL does not offer that format.  A word that is no
 * format of any tool is misuse.
 */
int opt_environment_format(const struct opt_tool *tool);

/* The same as a command, split as systemd does; never empty; free with xfree_strv(). */
char **opt_argv(const struct opt_scan *s);

/* The tool passes on another command's status: misuse ends with STATUS from here on. */
void opt_passes_on(int status);

/* Report misuse, point at --help, and end the tool. */
void opt_misused(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* The same with a hint of its own. */
void opt_misused_hint(const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* As opt_misused(): COMMAND is none of the words of TOOL; the hint names the nearest. */
void opt_unknown_command(const struct opt_tool *tool, const char *command)
	__attribute__((noreturn));

#endif
