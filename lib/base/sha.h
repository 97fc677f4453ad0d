/*
 * sha - SHA-2 of bytes and files, by libcrypto.
 *
 * A hash is written as the manifests write it: standard base64 with padding.
 */
#ifndef BASE_SHA_H
#define BASE_SHA_H

#include <stddef.h>

enum { SHA_TEXT = 96 };		/* room for the base64 of 64 bytes */
enum { SHA_HEX = 129 };		/* room for the hexadecimal of 64 bytes */

struct sha;

/* ALGORITHM is "sha256", "sha384" or "sha512", in any case; NULL for another. */
struct sha *sha_new(const char *algorithm);
void sha_add(struct sha *s, const void *p, size_t n);

/* The base64 into TEXT, and S is freed. */
void sha_end(struct sha *s, char text[SHA_TEXT]);

/* Base64 of a hash as hexadecimal, for a file name; -EINVAL where it is none. */
int sha_hex(const char *text, char hex[SHA_HEX]);

/* The file that FD is open on, from where it stands to its end: 0 or -errno. */
int sha_fd(const char *algorithm, int fd, char text[SHA_TEXT]);

#endif
