/*
 * journal - a file to which whole lines are added, and which survives a crash.
 *
 * A line is on disk once journal_sync() has returned.  What a crash left of a
 * torn last line is cut off when the file is opened again.  When it passes its
 * maximum the file becomes PATH.1, replacing the one before.
 * Errors: a negative errno.
 */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct journal;

/* PATH, made with mode 0640 where it is missing, which becomes PATH.1 at MAX bytes (0: never); NULL with errno. */
struct journal *journal_open(const char *path, size_t max);
void journal_close(struct journal *j);

/* LINE, without its newline.  A write that failed half-way is undone. */
int journal_add(struct journal *j, const char *line, size_t len);

/* What was added is on disk. */
int journal_sync(struct journal *j);

/*
 * For a caller that fsyncs the file in another thread, and has it become PATH.1
 * when it wants: the descriptor (-1 after a rotation that failed half-way), the
 * bytes of its lines, and the rotation without an fsync of the file or directory.
 */
int journal_fd(const struct journal *j);
off_t journal_size(const struct journal *j);
int journal_rotate(struct journal *j);

/* The last whole line of PATH into OUT, which is left empty where there is none. */
int journal_last(const char *path, struct buf *out);

#endif
