#include <errno.h>
#include <jose/b64.h>
#include <jose/jws.h>
#include <jose/openssl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/sha.h"
#include "base/xalloc.h"
#include "deploy/jws.h"

enum { KEY_BITS_MIN = 2048, KEY_BITS_MAX = 16384 };

struct jws_key {
	json_t *jwk;
	EVP_PKEY *pkey;
};

/* The bytes of the LEN characters of TEXT, a NUL after them; NULL where they are not exactly their base64url. */
static char *
base64url_decode(const char *text, size_t len, size_t *n)
{
	char *bytes, *again;

	*n = jose_b64_dec_buf(text, len, NULL, 0);
	if (*n == SIZE_MAX || jose_b64_enc_buf(NULL, *n, NULL, 0) != len)
		return NULL;
	bytes = xcalloc(*n + 1, 1);
	again = xcalloc(len + 1, 1);
	if (jose_b64_dec_buf(text, len, bytes, *n) != *n ||
	    jose_b64_enc_buf(bytes, *n, again, len) != len || memcmp(again, text, len) != 0) {
		free(bytes);
		bytes = NULL;
	}
	free(again);
	return bytes;
}

/* Either base64 in one spelling: the alphabet of base64url, no padding. */
static char *
plain_base64(const char *text)
{
	size_t n = strcspn(text, "=");
	char *s = xstrndup(text, n);

	for (size_t i = 0; i < n; i++)
		s[i] = s[i] == '+' ? '-' : s[i] == '/' ? '_' : s[i];
	return s;
}

/* A number without its leading zero bytes, which José and OpenSSL do not expect; NULL for none. */
static json_t *
number_new(const char *text)
{
	size_t n, zero = 0;
	_cleanup_free_ char *plain = plain_base64(text);
	_cleanup_free_ char *bytes = base64url_decode(plain, strlen(plain), &n);

	if (!bytes)
		return NULL;
	while (zero + 1 < n && bytes[zero] == 0)
		zero++;
	return jose_b64_enc(bytes + zero, n - zero);
}

struct jws_key *
jws_key_new(const char *n, const char *e)
{
	struct jws_key *k = xcalloc(1, sizeof *k);
	json_t *number_n = n ? number_new(n) : NULL, *number_e = e ? number_new(e) : NULL;

	if (number_n && number_e)
		k->jwk = json_pack("{s:s, s:s, s:O, s:O}", "kty", "RSA", "alg", "RS256",
		    "n", number_n, "e", number_e);
	json_decref(number_n);
	json_decref(number_e);
	if (k->jwk)
		k->pkey = jose_openssl_jwk_to_EVP_PKEY(NULL, k->jwk);
	if (k->pkey && EVP_PKEY_get_base_id(k->pkey) == EVP_PKEY_RSA &&
	    EVP_PKEY_get_bits(k->pkey) >= KEY_BITS_MIN && EVP_PKEY_get_bits(k->pkey) <= KEY_BITS_MAX)
		return k;
	jws_key_free(k);
	return NULL;
}

void
jws_key_free(struct jws_key *k)
{
	if (!k)
		return;
	json_decref(k->jwk);
	EVP_PKEY_free(k->pkey);
	free(k);
}

bool
jws_key_equal(const struct jws_key *a, const struct jws_key *b)
{
	return EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

static bool
has_hash(const unsigned char *der, int len, const char *algorithm, const char *hash)
{
	struct sha *s = len > 0 ? sha_new(algorithm) : NULL;
	_cleanup_free_ char *have = NULL;
	_cleanup_free_ char *want = NULL;
	char text[SHA_TEXT];

	if (!s)
		return false;
	sha_add(s, der, (size_t)len);
	sha_end(s, text);
	have = plain_base64(text);
	want = plain_base64(hash);
	return strcmp(have, want) == 0;
}

bool
jws_key_has_hash(const struct jws_key *k, const char *algorithm, const char *hash)
{
	unsigned char *pkcs1 = NULL, *spki = NULL;
	int n_pkcs1 = i2d_PublicKey(k->pkey, &pkcs1), n_spki = i2d_PUBKEY(k->pkey, &spki);
	bool yes = has_hash(pkcs1, n_pkcs1, algorithm, hash) || has_hash(spki, n_spki, algorithm, hash);

	OPENSSL_free(pkcs1);
	OPENSSL_free(spki);
	return yes;
}

bool
jws_key_signed(const struct jws_key *k, const void *text, size_t len, const char *signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n;
	_cleanup_free_ char *bytes = base64url_decode(signature, strlen(signature), &n);
	bool yes = ctx && bytes &&
	    EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
	    EVP_DigestVerify(ctx, (const unsigned char *)bytes, n, text, len) == 1;

	EVP_MD_CTX_free(ctx);
	return yes;
}

const char *
jws_parse(const char *text, size_t len, struct jws *j)
{
	const char *first = memchr(text, '.', len);
	const char *second = first ? memchr(first + 1, '.', len - (size_t)(first + 1 - text)) : NULL;
	_cleanup_free_ char *signature = NULL;
	size_t n;

	*j = (struct jws){ 0 };
	if (len > JWS_MAX)
		return "it is longer than 64 KiB";
	if (memchr(text, 0, len) || !second || memchr(second + 1, '.', len - (size_t)(second + 1 - text)))
		return "it is not three parts with dots between them";
	j->header = base64url_decode(text, (size_t)(first - text), &j->header_len);
	j->payload = base64url_decode(first + 1, (size_t)(second - first - 1), &j->payload_len);
	signature = base64url_decode(second + 1, len - (size_t)(second + 1 - text), &n);
	if (j->header && j->payload && signature) {
		j->text = xstrndup(text, len);
		return NULL;
	}
	jws_release(j);
	return "a part of it is not base64url";
}

bool
jws_verify(const struct jws *j, const struct jws_key *k)
{
	const char *first = strchr(j->text, '.'), *second = strchr(first + 1, '.');
	json_t *jws = json_pack("{s:s%, s:s%, s:s}",
	    "protected", j->text, (size_t)(first - j->text),
	    "payload", first + 1, (size_t)(second - first - 1), "signature", second + 1);
	bool yes = jws && jose_jws_ver(NULL, jws, NULL, k->jwk, false);

	json_decref(jws);
	return yes;
}

void
jws_release(struct jws *j)
{
	free(j->text);
	free(j->header);
	free(j->payload);
	*j = (struct jws){ 0 };
}
