/*
 * buf - a string that grows.
 *
 * Invariants: S is never NULL, S[LEN] is NUL, so S is a C string as long as no
 * NUL was added.  A buffer filled from outside is given its maximum at birth:
 * struct buf b = BUF_MAX(65536).
 * Errors: -EMSGSIZE where the maximum would be passed; nothing is then added.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

#include "base/diag.h"

struct buf {
	char *s;
	size_t len;	/* bytes used, without the NUL */
	size_t cap;	/* bytes there; 0 while S is the shared empty string */
	size_t max;	/* bytes used at most; 0 for no limit */
};

extern char buf_empty[1];

#define BUF_INIT	{ buf_empty, 0, 0, 0 }
#define BUF_MAX(n)	{ buf_empty, 0, 0, (n) }

#define _cleanup_buf_	__attribute__((cleanup(buf_release)))
void buf_release(struct buf *b);

/* Forget the content, keep the memory. */
void buf_reset(struct buf *b);

/* The content, to be freed by the caller; B is empty afterwards. */
char *buf_steal(struct buf *b);

/* Room for N more bytes at S + LEN; the caller sets LEN, and S[LEN] to NUL. */
int buf_reserve(struct buf *b, size_t n);

int buf_add(struct buf *b, const void *p, size_t n);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);

#endif
