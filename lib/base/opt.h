/*
 * opt - command-line options, declared once.
 *
 * A tool lists its options in one table; getopt_long(3), --help and the lint
 * that compares --help with the man page and the completions all read it.
 * Options end at the first operand.  What means the same in every tool is
 * declared here: --help, --version, --quiet, --verbose and --syslog are
 * answered by opt_next() itself where a table has them.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdint.h>
#include <unistd.h>		/* optarg, optind */

struct opt {
	int key;		/* its letter, or a value over 255 for none */
	const char *name;	/* its long name, without dashes */
	const char *arg;	/* its argument's name, or NULL for a flag */
	const char *help;	/* one line, no full stop */
};

/* Keys of options without a letter; a tool's own begin at OPT_OWN. */
enum {
	OPT_KEY_SYSLOG = 256, OPT_KEY_FORMAT, OPT_KEY_JSON, OPT_KEY_TIMEOUT, OPT_KEY_WAIT,
	OPT_OWN = 300,
};

#define OPT_AGENT	{ 'A', "agent", "NAME", "use the profile NAME" }
#define OPT_FORMAT	{ OPT_KEY_FORMAT, "format", "F", "print as F" }
#define OPT_JSON	{ OPT_KEY_JSON, "json", NULL, "same as --format=jsonl" }
#define OPT_TIMEOUT	{ OPT_KEY_TIMEOUT, "timeout", "DUR", "give up after DUR" }
#define OPT_QUIET	{ 'q', "quiet", NULL, "report errors only" }
#define OPT_VERBOSE	{ 'v', "verbose", NULL, "tell what is done" }
#define OPT_SYSLOG	{ OPT_KEY_SYSLOG, "syslog", NULL, "report to syslog too" }
#define OPT_HELP	{ 'h', "help", NULL, "print this help and exit" }
#define OPT_VERSION	{ 'V', "version", NULL, "print the version and exit" }
#define OPT_END		{ 0, NULL, NULL, NULL }

/* The end of every table. */
#define OPT_COMMON	OPT_QUIET, OPT_SYSLOG, OPT_VERBOSE, OPT_HELP, OPT_VERSION, OPT_END

/*
 * The next option's key, with getopt(3)'s optarg and optind set; -1 after the
 * last.  Answers the options common to the toolkit itself, and ends the tool
 * with EXIT_USAGE on an option not in OPTS.  SYNOPSIS is what follows the name.
 */
int opt_next(int argc, char *argv[], const struct opt *opts, const char *synopsis);

/* optarg as a duration in milliseconds, or the end of the tool, naming WHAT. */
int64_t opt_duration(const char *what);

/* optarg as a number from LO to HI, or the end of the tool, naming WHAT. */
int64_t opt_number(const char *what, int64_t lo, int64_t hi);

/* optarg as the index of one of WORDS (NULL-terminated), or the end of the tool, naming WHAT. */
unsigned opt_word(const char *what, const char *const *words);

/* The tool passes on another command's status: misuse ends with STATUS from here on. */
void opt_passes_on(int status);

/* Say "try NAME --help" after the caller's complaint; end with EXIT_USAGE, or opt_passes_on()'s. */
void opt_misused(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

#endif
