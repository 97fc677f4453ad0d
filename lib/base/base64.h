/*
 * base64 - bytes as text: RFC 4648, section 4, with padding.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/buf.h"

/* The N bytes of P, added to OUT. */
int base64_encode(const void *p, size_t n, struct buf *out);

/* The bytes that TEXT stands for, added to OUT; -EINVAL where it is none, without a byte added. */
int base64_decode(const char *text, size_t len, struct buf *out);

#endif
