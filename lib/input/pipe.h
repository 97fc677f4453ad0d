/*
 * pipe - a feed of what comes through a FIFO, a pipe or a command.
 *
 * A FIFO that is a file goes on when its writer has ended and another comes; a
 * pipe, and so what a shell makes of <(CMD), ends with its writer.  What is
 * torn at a writer's end gets a newline.
 */
#ifndef INPUT_PIPE_H
#define INPUT_PIPE_H

#include "input/feed.h"

/* PATH is a FIFO, "-", or any other file that is read to its end, by its command where it is compressed. */
struct feed *pipe_new(const char *path);

/* The same for a regular file that the command ARGV reads; ARGV is freed with xfree_strv(). */
struct feed *pipe_new_of(const char *path, char **argv);

#endif
