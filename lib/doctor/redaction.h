/*
 * redaction - text without its secrets, for a report that leaves the machine.
 *
 * Replaced by "[left out]" are
 *
 *	the value of a name that says secret	token = X, "password": "X", --api-key X,
 *						AUTH_TOKEN=X, Authorization: X
 *	header = and body = of a profile, with their continuation lines
 *	user and query of a URL			https://USER:X@HOST/PATH?X
 *	credentials				Bearer X, Basic X, SharedAccessSignature X, a JWT
 *	private keys in PEM
 *	what redaction_add() was given		the content of token files
 *
 * A name that ends in "file", "path" or "dir" names no secret, but where it is.
 * Text that only looks like a secret is lost, too: a report is better without it.
 */
#ifndef DOCTOR_REDACTION_H
#define DOCTOR_REDACTION_H

#include <stddef.h>

#include "base/buf.h"

struct redaction;

struct redaction *redaction_new(void);
void redaction_free(struct redaction *r);

/* Leave out each occurrence of the LEN bytes of SECRET, too; one of less than 6 bytes is ignored. */
void redaction_add(struct redaction *r, const char *secret, size_t len);

/* Add TEXT to OUT without its secrets.  TEXT begins and ends with a line; a NUL in it becomes "?". */
void redaction_apply(const struct redaction *r, const char *text, size_t len, struct buf *out);

#endif
