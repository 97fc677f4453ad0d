/*
 * argv - a command line in one text, split into its words.
 *
 * Commands in options and profiles are run without a shell.  They are split
 * as systemd splits ExecStart= (systemd.service(5), "COMMAND LINES"; there is
 * no expansion of variables or specifiers):
 *
 *	words are separated by blanks;
 *	"..." and '...', anywhere in a word, keep blanks, and are removed;
 *	a backslash, quoted or not, begins an escape of systemd.syntax(7):
 *	\a \b \f \n \r \t \v \\ \" \' \s (a blank), \xHH, \OOO (octal),
 *	\uHHHH and \UHHHHHHHH (UTF-8).
 *
 * What is no escape stays as it is, with its backslash; so does one at the
 * end.
 */
#ifndef BASE_ARGV_H
#define BASE_ARGV_H

/*
 * The words of TEXT, a NULL-terminated list to be freed with xfree_strv();
 * empty where there is none.  NULL where a quote is open, or an escape stands
 * for NUL or for no character: WHY, unless it is NULL, is then the reason in
 * words.
 */
char **argv_split(const char *text, const char **why);

#endif
