/*
 * lines - whole lines from a descriptor, without waiting for more than there
 * is.  Of a line longer than LINES_SIZE only the beginning is handed out.
 */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { LINES_SIZE = 65536 };

struct lines {		/* zero at first */
	size_t begin, end;	/* what is not yet handed out */
	bool at_end;		/* nothing more comes */
	bool skipping;		/* the rest of a line that was too long */
	char b[LINES_SIZE];
};

/* One read(2); 0 at the end, or a negative errno.  Take all lines before the next. */
ssize_t lines_read(struct lines *l, int fd);

/*
 * The next whole line without its newline, at the end also one that has none;
 * borrowed until the next read.  False where there is none.
 */
bool lines_next(struct lines *l, const char **line, size_t *len);

#endif
