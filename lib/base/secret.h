/*
 * secret - a token or a key.
 *
 * It is read from a file of its own with one line, of mode 0600 or 0640 at the
 * most, owned by root or the caller.  It appears in no argument, environment or
 * message, and its memory is overwritten before it is freed.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>

#include "base/buf.h"
#include "base/fail.h"

enum { SECRET_MAX = 8192 };

struct secret {
	char *s;	/* NULL for none */
	size_t len;
};

#define SECRET_NONE	{ NULL, 0 }
#define _cleanup_secret_	__attribute__((cleanup(secret_release)))

/*
 * From here on no core file of this process is written, and only root can look
 * into its memory.  To be called before the first secret is read; what is
 * executed from here starts without it.
 */
void secret_guard(void);

/*
 * The one line of the file PATH, blanks around it dropped, into S, which is
 * released first.  Errors: EXIT_DENIED for its mode or owner, EXIT_TROUBLE for
 * the rest, also where it is empty or holds a control character.
 */
int secret_load(const char *path, struct secret *s, struct fail *f);

/* A copy of the LEN bytes of P. */
void secret_set(struct secret *s, const char *p, size_t len);
void secret_release(struct secret *s);

/* Overwrite what B holds, and release it. */
void secret_wipe(struct buf *b);

#endif
