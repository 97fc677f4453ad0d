/*
 * filter_command - a command whose output is read as a log: a decompressor, journalctl.
 */
#ifndef INPUT_FILTER_COMMAND_H
#define INPUT_FILTER_COMMAND_H

#include <sys/types.h>

/* The command that reads PATH, by its name (.gz .xz .zst .bz2), as argv; NULL for a plain file. */
char *const *filter_command_of(const char *path);

/* Run ARGV with IN_FD (or /dev/null for -1) as its stdin: the descriptor of its output, or -errno. */
int filter_command_start(char *const *argv, int in_fd, pid_t *pid);

/*
 * Run ARGV with the file IN_FD as its stdin to its end: a descriptor of a file
 * without a name, in $TMPDIR or /var/tmp, that holds the output.  -EIO where the
 * command failed.
 */
int filter_command_unpack(char *const *argv, int in_fd);

/* The same where the output of a command that failed is of use: its status into *STATUS. */
int filter_command_spool(char *const *argv, int in_fd, int *status);

/* Wait for its end: 0, or its status where it failed; a reader that left early is no failure. */
int filter_command_end(pid_t pid);

#endif
