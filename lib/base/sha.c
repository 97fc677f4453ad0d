#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/io.h"
#include "base/sha.h"
#include "base/xalloc.h"

struct sha {
	EVP_MD_CTX *ctx;
};

struct sha *
sha_new(const char *algorithm)
{
	static const struct { const char *name; const EVP_MD *(*md)(void); } known[] = {
		{ "sha256", EVP_sha256 }, { "sha384", EVP_sha384 }, { "sha512", EVP_sha512 },
	};
	struct sha *s;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcasecmp(known[i].name, algorithm) != 0)
			continue;
		s = xcalloc(1, sizeof *s);
		s->ctx = EVP_MD_CTX_new();
		if (!s->ctx || EVP_DigestInit_ex(s->ctx, known[i].md(), NULL) != 1)
			die(EXIT_TROUBLE, 0, "out of memory");
		return s;
	}
	return NULL;
}

void
sha_add(struct sha *s, const void *p, size_t n)
{
	EVP_DigestUpdate(s->ctx, p, n);
}

void
sha_end(struct sha *s, char text[SHA_TEXT])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	EVP_DigestFinal_ex(s->ctx, digest, &n);
	EVP_EncodeBlock((unsigned char *)text, digest, (int)n);
	EVP_MD_CTX_free(s->ctx);
	free(s);
}

int
sha_hex(const char *text, char hex[SHA_HEX])
{
	unsigned char digest[SHA_TEXT];
	size_t len = strlen(text), pad;
	int n;

	if (len < 4 || len >= SHA_TEXT || len % 4)
		return -EINVAL;
	n = EVP_DecodeBlock(digest, (const unsigned char *)text, (int)len);
	pad = (size_t)((text[len - 1] == '=') + (text[len - 2] == '='));
	if (n < 0 || ((size_t)n - pad != 32 && (size_t)n - pad != 48 && (size_t)n - pad != 64))
		return -EINVAL;
	for (size_t i = 0; i < (size_t)n - pad; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int
sha_fd(const char *algorithm, int fd, char text[SHA_TEXT])
{
	_cleanup_free_ char *block = xrealloc(NULL, 65536, 1);
	struct sha *s = sha_new(algorithm);
	ssize_t n;

	if (!s)
		return -EINVAL;
	while ((n = io_read(fd, block, 65536)) > 0)
		sha_add(s, block, (size_t)n);
	sha_end(s, text);
	return n < 0 ? (int)n : 0;
}
