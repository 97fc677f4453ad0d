/*
 * writer - the bytes of the output, gathered in one buffer.
 *
 * Bytes are copied into a buffer of WRITER_SIZE, which write(2) empties when it
 * is full.  WRITER_IN_PLACE bytes or more at once are written from where they
 * are.  One write a buffer is faster than writev(2) of lines and than
 * vmsplice(2), both measured through a pipe.
 *
 * A thread that calls write(2) while the caller fills a second buffer was tried:
 * through a pipe on two cores it gains nothing, since the reader has the other.
 *
 * Errors: the first failure of write(2) is kept in ERROR, a negative errno;
 * what is added after it is dropped.
 */
#ifndef OUTPUT_WRITER_H
#define OUTPUT_WRITER_H

#include <stddef.h>
#include <string.h>

enum { WRITER_SIZE = 128 << 10, WRITER_IN_PLACE = 64 << 10 };

struct writer {
	int fd;			/* -1: the bytes stay in BUF, which grows */
	int error;
	char *buf;
	size_t len, cap;
};

/* With FD -1 the buffer begins with SIZE bytes, else it has WRITER_SIZE. */
void writer_init(struct writer *w, int fd, size_t size);
void writer_release(struct writer *w);

/* Make room for N more bytes, which may empty the buffer. */
void writer_room(struct writer *w, size_t n);

/* N bytes that are written from where they are. */
void writer_in_place(struct writer *w, const char *p, size_t n);

/* Returns when all bytes are written, or ERROR is set. */
void writer_flush(struct writer *w);

/* Where N more bytes may be put; the caller adds to LEN what it used. */
static inline char *
writer_reserve(struct writer *w, size_t n)
{
	if (w->cap - w->len < n)
		writer_room(w, n);
	return w->buf + w->len;
}

static inline void
writer_put(struct writer *w, const char *p, size_t n)
{
	if (n >= WRITER_IN_PLACE && w->fd >= 0) {
		writer_in_place(w, p, n);
		return;
	}
	memcpy(writer_reserve(w, n), p, n);
	w->len += n;
}

static inline void
writer_puts(struct writer *w, const char *s)
{
	writer_put(w, s, strlen(s));
}

#endif
