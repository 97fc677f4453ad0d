/*
 * jws - RS256 signatures and the RSA keys that check them, by José.
 *
 * A JWS here is the compact serialization of RFC 7515:
 *
 *	BASE64URL(HEADER) "." BASE64URL(PAYLOAD) "." BASE64URL(SIGNATURE)
 *
 * without padding.  The only algorithm is RS256 (RSASSA-PKCS1-v1_5 with
 * SHA-256), because it is the only one that Azure Device Update uses.  Each part
 * must be the one spelling of its bytes: base64url whose unused last bits are set
 * is refused, so that no change of a text leaves its meaning as it was.
 *
 * A key is an RSA public key of at least 2048 bits, as a JWK (RFC 7517) has it:
 * modulus N and exponent E as base64url numbers.  The signing keys of real goals
 * are in standard base64, so that is taken as well; leading zero bytes are ignored.
 */
#ifndef DEPLOY_JWS_H
#define DEPLOY_JWS_H

#include <stdbool.h>
#include <stddef.h>

enum { JWS_MAX = 64 << 10 };	/* bytes of a compact JWS; a longer one is refused */

struct jws_key;

/* NULL where N and E are no such key. */
struct jws_key *jws_key_new(const char *n, const char *e);
void jws_key_free(struct jws_key *k);

bool jws_key_equal(const struct jws_key *a, const struct jws_key *b);

/*
 * Is HASH (base64 or base64url, padding optional) the hash of K under ALGORITHM
 * ("SHA256", "SHA384", "SHA512")?  Both encodings of a public key are tried,
 * PKCS #1 and SubjectPublicKeyInfo: the Azure agent hashes the one or the other,
 * as the OpenSSL that it was built with writes a key.
 */
bool jws_key_has_hash(const struct jws_key *k, const char *algorithm, const char *hash);

/* Is SIGNATURE (base64url) K's RS256 signature over the LEN bytes of TEXT? */
bool jws_key_signed(const struct jws_key *k, const void *text, size_t len, const char *signature);

struct jws {
	char *text;		/* the JWS itself */
	char *header;		/* decoded, as yet only bytes; a NUL follows them */
	size_t header_len;
	char *payload;		/* the same */
	size_t payload_len;
};

/*
 * The LEN bytes of TEXT, taken apart and not yet verified.  NULL for success, or
 * what is wrong with the text, for a message; J is then empty.
 */
const char *jws_parse(const char *text, size_t len, struct jws *j);

/* Did K sign J?  The caller has seen that the header's "alg" is RS256. */
bool jws_verify(const struct jws *j, const struct jws_key *k);
void jws_release(struct jws *j);

#endif
