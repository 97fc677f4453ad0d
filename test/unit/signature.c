#include <assert.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/sha.h"
#include "base/xalloc.h"
#include "deploy/acceptance.h"
#include "deploy/goal.h"
#include "deploy/rootkeys.h"
#include "deploy/signature.h"

#define MANIFEST	"{\"manifestVersion\":\"4\",\"updateId\":{\"provider\":\"p\",\"name\":\"n\",\"version\":\"1\"}," \
	"\"compatibility\":[{\"group\":\"g\"}],\"instructions\":{\"steps\":[{\"handler\":\"rejoin/copy:1\"}]}}"

/* --- what a signing service does, with OpenSSL alone */

static char *
base64url(const void *p, size_t n)
{
	char *text = xcalloc(n * 4 / 3 + 8, 1);

	EVP_EncodeBlock((unsigned char *)text, p, (int)n);
	for (char *s = text; *s; s++)
		*s = *s == '+' ? '-' : *s == '/' ? '_' : *s;
	text[strcspn(text, "=")] = 0;
	return text;
}

static char *
rs256(EVP_PKEY *key, const char *text, size_t len)
{
	unsigned char sig[1024];
	size_t n = sizeof sig;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
	assert(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text, len) == 1);
	EVP_MD_CTX_free(ctx);
	return base64url(sig, n);
}

static char *
modulus(EVP_PKEY *key)
{
	BIGNUM *n = NULL;
	unsigned char bytes[1024];
	char *text;

	assert(EVP_PKEY_get_bn_param(key, "n", &n) == 1);
	text = base64url(bytes, (size_t)BN_bn2bin(n, bytes));
	BN_free(n);
	return text;
}

static char *
jws(EVP_PKEY *key, const char *header, const char *payload)
{
	_cleanup_free_ char *h = base64url(header, strlen(header));
	_cleanup_free_ char *p = base64url(payload, strlen(payload));
	_cleanup_free_ char *input = xasprintf("%s.%s", h, p);
	_cleanup_free_ char *sig = rs256(key, input, strlen(input));

	return xasprintf("%s.%s", input, sig);
}

static char *
payload_of(const char *manifest)
{
	struct sha *s = sha_new("sha256");
	char hash[SHA_TEXT];

	sha_add(s, manifest, strlen(manifest));
	sha_end(s, hash);
	return xasprintf("{\"sha256\":\"%s\"}", hash);
}

static char *
jwk_of(EVP_PKEY *key, const char *kid)
{
	_cleanup_free_ char *n = modulus(key);

	return xasprintf("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"%s\"}", n, kid);
}

/* The signature of MANIFEST by KEY, for which ROOT vouches under the id "R". */
static char *
sign(EVP_PKEY *root, EVP_PKEY *key, const char *manifest)
{
	_cleanup_free_ char *jwk = jwk_of(key, "K");
	_cleanup_free_ char *inner = jws(root, "{\"alg\":\"RS256\",\"kid\":\"R\"}", jwk);
	_cleanup_free_ char *header = xasprintf("{\"alg\":\"RS256\",\"sjwk\":\"%s\"}", inner);
	_cleanup_free_ char *payload = payload_of(manifest);

	return jws(key, header, payload);
}

/* A root key package for ROOT as "R"; SPACES puts blanks and newlines where JSON allows them. */
static char *
package(EVP_PKEY *root, EVP_PKEY *signer, const char *disabled_roots, const char *disabled_signing, bool spaces)
{
	_cleanup_free_ char *n = modulus(root);
	_cleanup_free_ char *compact = xasprintf("{\"version\":1,\"published\":7,\"disabledRootKeys\":[%s],"
	    "\"disabledSigningKeys\":[%s],\"rootKeys\":{\"R\":{\"keyType\":\"RSA\",\"n\":\"%s\",\"e\":65537}}}",
	    disabled_roots, disabled_signing, n);
	_cleanup_free_ char *sig = rs256(signer, compact, strlen(compact));
	_cleanup_buf_ struct buf text = BUF_INIT;

	for (const char *s = compact; *s; s++) {
		buf_putc(&text, *s);
		if (spaces && (*s == ',' || *s == ':' || *s == '{'))
			buf_puts(&text, "\n\t ");
	}
	return xasprintf("{\"protected\":%s,\"signatures\":[{\"alg\":\"RS256\",\"sig\":\"%s\"}]}", text.s, sig);
}

/* --- the checks */

static EVP_PKEY *root, *other, *key;

static int
parse(struct rootkeys *r, const char *text, struct fail *f)
{
	return rootkeys_parse(r, "keys", text, strlen(text), f);
}

/* STATUS of the verification of JWS over MANIFEST, with the root keys that PACKAGE holds. */
static enum exit_status
status_of(const char *keys, const char *signature, const char *manifest)
{
	struct rootkeys *r = rootkeys_new();
	struct signer s;
	struct fail f = { .status = EXIT_OK };

	if (parse(r, keys, &f) == 0)
		signature_verify(r, "goal x", signature, strlen(signature), manifest, strlen(manifest), &s, &f);
	rootkeys_free(r);
	return f.status;
}

static void
a_signature_holds_for_its_manifest_alone(void)
{
	_cleanup_free_ char *keys = package(root, root, "", "", false);
	_cleanup_free_ char *spaced = package(root, root, "", "", true);
	_cleanup_free_ char *jwk = jwk_of(root, "R");
	_cleanup_free_ char *jwks = xasprintf("{\"keys\":[%s]}", jwk);
	_cleanup_free_ char *good = sign(root, key, MANIFEST);
	_cleanup_free_ char *foreign = sign(other, key, MANIFEST);

	assert(status_of(keys, good, MANIFEST) == EXIT_OK);
	assert(status_of(spaced, good, MANIFEST) == EXIT_OK);
	assert(status_of(jwk, good, MANIFEST) == EXIT_OK);
	assert(status_of(jwks, good, MANIFEST) == EXIT_OK);
	assert(status_of(keys, good, MANIFEST " ") == EXIT_DENIED);
	assert(status_of(keys, foreign, MANIFEST) == EXIT_DENIED);
	assert(status_of("{\"keys\":[]}", good, MANIFEST) == EXIT_DENIED);
}

static void
other_algorithms_and_demands_are_refused(void)
{
	static const char *const headers[] = {
		"{\"alg\":\"none\",\"sjwk\":\"%s\"}", "{\"alg\":\"HS256\",\"sjwk\":\"%s\"}",
		"{\"alg\":\"RS384\",\"sjwk\":\"%s\"}", "{\"sjwk\":\"%s\"}", "[\"%s\"]",
		"{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1,\"sjwk\":\"%s\"}",
	};
	_cleanup_free_ char *keys = package(root, root, "", "", false);
	_cleanup_free_ char *jwk = jwk_of(key, "K");
	_cleanup_free_ char *inner = jws(root, "{\"alg\":\"RS256\",\"kid\":\"R\"}", jwk);
	_cleanup_free_ char *unnamed = jws(root, "{\"alg\":\"RS256\"}", jwk);
	_cleanup_free_ char *payload = payload_of(MANIFEST);
	_cleanup_free_ char *nokid = xasprintf("{\"alg\":\"RS256\",\"sjwk\":\"%s\"}", unnamed);
	_cleanup_free_ char *without = jws(key, nokid, payload);
	_cleanup_free_ char *nosjwk = jws(key, "{\"alg\":\"RS256\"}", payload);

	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		char header[8192];
		_cleanup_free_ char *bad = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(header, sizeof header, headers[i], inner);
#pragma GCC diagnostic pop
		bad = jws(key, header, payload);
		assert(status_of(keys, bad, MANIFEST) == EXIT_DENIED);
	}
	assert(status_of(keys, without, MANIFEST) == EXIT_DENIED);
	assert(status_of(keys, nosjwk, MANIFEST) == EXIT_DENIED);
	assert(status_of(keys, "", MANIFEST) == EXIT_DENIED);
	assert(status_of(keys, "a.b", MANIFEST) == EXIT_DENIED);
	assert(status_of(keys, "a.b.c.d", MANIFEST) == EXIT_DENIED);
}

/* The signing key's hash, of either encoding of the key. */
static char *
hash_of(EVP_PKEY *k, int encode(const EVP_PKEY *, unsigned char **))
{
	unsigned char *der = NULL;
	int n = encode(k, &der);
	struct sha *s = sha_new("sha256");
	char text[SHA_TEXT];

	sha_add(s, der, (size_t)n);
	sha_end(s, text);
	OPENSSL_free(der);
	return xstrdup(text);
}

static void
disabled_keys_are_refused(void)
{
	_cleanup_free_ char *good = sign(root, key, MANIFEST);
	_cleanup_free_ char *keys = package(root, root, "\"R\"", "", false);
	int (*const encodings[])(const EVP_PKEY *, unsigned char **) = { i2d_PublicKey, i2d_PUBKEY };

	assert(status_of(keys, good, MANIFEST) == EXIT_DENIED);
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *hash = hash_of(key, encodings[i]);
		_cleanup_free_ char *entry = xasprintf("{\"alg\":\"SHA256\",\"hash\":\"%s\"}", hash);
		_cleanup_free_ char *disabling = package(root, root, "", entry, false);
		_cleanup_free_ char *foreign = hash_of(other, encodings[i]);
		_cleanup_free_ char *no_entry = xasprintf("{\"alg\":\"SHA256\",\"hash\":\"%s\"}", foreign);
		_cleanup_free_ char *harmless = package(root, root, "", no_entry, false);

		assert(status_of(disabling, good, MANIFEST) == EXIT_DENIED);
		assert(status_of(harmless, good, MANIFEST) == EXIT_OK);
	}
}

/* A package that disables the root key, with a second "protected", spelled otherwise, that does not. */
static void
only_what_was_signed_counts(void)
{
	static const char *const names[] = { "\\u0070rotected", "protec\\u0074ed" };
	_cleanup_free_ char *good = sign(root, key, MANIFEST);
	_cleanup_free_ char *disabling = package(root, root, "\"R\"", "", false);
	_cleanup_free_ char *harmless = package(root, root, "", "", false);
	const char *end = strstr(disabling, ",\"signatures\""), *value = strchr(harmless, ':') + 1;
	const int len = (int)(strstr(harmless, ",\"signatures\"") - value), before = (int)(end - disabling);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		_cleanup_free_ char *last = xasprintf("%.*s,\"%s\":%.*s%s", before, disabling, names[i], len, value, end);
		_cleanup_free_ char *first = xasprintf("{\"%s\":%.*s,%s", names[i], len, value, disabling + 1);
		_cleanup_free_ char *alone = xasprintf("{\"%s\":%.*s%s", names[i], len, value, end);

		assert(status_of(last, good, MANIFEST) == EXIT_DENIED);
		assert(status_of(first, good, MANIFEST) == EXIT_DENIED);
		assert(status_of(alone, good, MANIFEST) == EXIT_USAGE);
	}
}

static void
damaged_key_files_are_refused(void)
{
	static const char *const wrong[] = {
		"", "[]", "{}", "{\"protected\":3}", "{\"protected\":{},\"signatures\":[]}",
		"{\"protected\":{\"rootKeys\":{}},\"signatures\":[]}", "{\"keys\":[{}]}",
		"{\"kty\":\"RSA\",\"kid\":\"R\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
		"{\"kty\":\"oct\",\"kid\":\"R\",\"k\":\"AQAB\"}",
	};
	_cleanup_free_ char *foreign = package(root, other, "", "", false);
	_cleanup_free_ char *whole = package(root, root, "", "", false);
	_cleanup_free_ char *unknown = package(root, root, "", "{\"alg\":\"MD5\",\"hash\":\"x\"}", false);
	_cleanup_free_ char *jwk = jwk_of(other, "R");
	struct rootkeys *r = rootkeys_new();
	struct fail f;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert(parse(r, wrong[i], &f) < 0 && f.status == EXIT_USAGE);
	assert(parse(r, foreign, &f) < 0 && f.status == EXIT_DENIED);
	assert(parse(r, unknown, &f) < 0 && f.status == EXIT_USAGE);
	rootkeys_free(r);

	/* The same key again is no conflict, another of its name is. */
	r = rootkeys_new();
	assert(parse(r, whole, &f) == 0 && parse(r, whole, &f) == 0 && rootkeys_count(r) == 1);
	assert(parse(r, jwk, &f) < 0 && f.status == EXIT_DENIED);
	rootkeys_free(r);

	for (char *at = strstr(whole, "disabledRootKeys"); *at && strncmp(at, "signatures", 10) != 0; at++) {
		r = rootkeys_new();
		*at ^= 1;
		assert(parse(r, whole, &f) < 0);
		*at ^= 1;
		rootkeys_free(r);
	}
}

static void
load(const char *dir, const char *name, struct buf *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	struct fail f;

	if (file_load(path, 0, 1 << 20, text, &f) < 0) {
		fprintf(stderr, "%s\n", f.text);
		abort();
	}
}

/* Each change of one bit of P[0..N) must end with EXIT_DENIED. */
static size_t
flip_all(const struct rootkeys *keys, const struct goal *g, char *p, size_t n)
{
	struct signer s;
	struct fail f;

	for (size_t i = 0; i < 8 * n; i++) {
		p[i / 8] ^= (char)(1 << i % 8);
		f.status = EXIT_OK;
		assert(acceptance_check(g, keys, false, &s, &f) < 0 && f.status == EXIT_DENIED);
		if (i % 31 == 0 && !s.root_unknown)
			assert(acceptance_check(g, keys, true, &s, &f) < 0);
		p[i / 8] ^= (char)(1 << i % 8);
	}
	return 8 * n;
}

static void
a_real_goal_verifies_and_no_change_of_it(const char *dir)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct rootkeys *keys = rootkeys_new();
	struct goal *g;
	struct signer s;
	struct fail f;
	size_t n;

	load(dir, "packaging/examples/rootkeys-azure.json", &text);
	assert(rootkeys_parse(keys, "production", text.s, text.len, &f) == 0 && rootkeys_count(keys) == 2);
	load(dir, "test/data/adu/signed-good.json", &text);
	assert(goal_parse("good", text.s, text.len, &g, &f) == 0);
	if (acceptance_check(g, keys, false, &s, &f) < 0)
		fprintf(stderr, "%s\n", f.text), abort();
	assert(strcmp(s.root, "ADU.200702.R") == 0 && *s.key);
	n = flip_all(keys, g, g->manifest_text, g->manifest_len);
	n += flip_all(keys, g, g->signature, g->signature_len);
	assert(n > 20000);
	goal_free(g);
	load(dir, "test/data/adu/signed-hash-mismatch.json", &text);
	assert(goal_parse("mismatch", text.s, text.len, &g, &f) == 0);
	assert(acceptance_check(g, keys, false, &s, &f) < 0 && f.status == EXIT_DENIED);
	assert(acceptance_check(g, keys, true, &s, &f) < 0 && strstr(f.text, "hash"));
	goal_free(g);
	rootkeys_free(keys);
}

/*
 * Each bit of the whole file: what is accepted has the manifest that was signed.  The manifest and the
 * signature are walked above; a sample of the bits is enough without SOAK.
 */
static void
no_change_of_the_file_runs_another_manifest(const char *dir)
{
	_cleanup_buf_ struct buf text = BUF_INIT, keys_text = BUF_INIT;
	const size_t step = getenv("SOAK") ? 1 : 29;
	struct rootkeys *keys = rootkeys_new();
	struct goal *good, *g;
	struct signer s;
	struct fail f;
	size_t accepted = 0;

	load(dir, "packaging/examples/rootkeys-azure.json", &keys_text);
	assert(rootkeys_parse(keys, "production", keys_text.s, keys_text.len, &f) == 0);
	load(dir, "test/data/adu/signed-good.json", &text);
	assert(goal_parse("good", text.s, text.len, &good, &f) == 0);
	for (size_t i = 0; i < 8 * text.len; i += step) {
		text.s[i / 8] ^= (char)(1 << i % 8);
		f.status = EXIT_OK;
		if (goal_parse("bent", text.s, text.len, &g, &f) < 0) {
			assert(f.status == EXIT_USAGE);
		} else {
			if (acceptance_check(g, keys, false, &s, &f) < 0) {
				assert(f.status == EXIT_DENIED);
			} else {
				assert(g->manifest_len == good->manifest_len &&
				    memcmp(g->manifest_text, good->manifest_text, g->manifest_len) == 0);
				accepted++;
			}
			goal_free(g);
		}
		text.s[i / 8] ^= (char)(1 << i % 8);
	}
	assert(accepted > 0);	/* such as one of its URLs */
	goal_free(good);
	rootkeys_free(keys);
}

static void
unsigned_goals_need_permission(void)
{
	static const char text[] = "{\"workflow\":{\"action\":3,\"id\":\"w\"},\"updateManifest\":"
	    "\"{\\\"manifestVersion\\\":\\\"4\\\",\\\"updateId\\\":{\\\"provider\\\":\\\"p\\\",\\\"name\\\":\\\"n\\\","
	    "\\\"version\\\":\\\"1\\\"},\\\"compatibility\\\":[{\\\"group\\\":\\\"g\\\"}],\\\"instructions\\\":"
	    "{\\\"steps\\\":[{\\\"handler\\\":\\\"rejoin/copy:1\\\"}]}}\"}";
	struct rootkeys *keys = rootkeys_new();
	struct goal *g;
	struct signer s;
	struct fail f;

	assert(goal_parse("unsigned", text, sizeof text - 1, &g, &f) == 0);
	assert(acceptance_check(g, keys, false, &s, &f) < 0 && f.status == EXIT_DENIED);
	assert(acceptance_check(g, keys, true, &s, &f) == 0 && !*s.root);
	goal_free(g);
	rootkeys_free(keys);
}

int
main(void)
{
	const char *dir = getenv("top");

	root = EVP_RSA_gen(2048);
	other = EVP_RSA_gen(2048);
	key = EVP_RSA_gen(2048);
	a_signature_holds_for_its_manifest_alone();
	other_algorithms_and_demands_are_refused();
	disabled_keys_are_refused();
	only_what_was_signed_counts();
	damaged_key_files_are_refused();
	no_change_of_the_file_runs_another_manifest(dir ? dir : ".");
	unsigned_goals_need_permission();
	a_real_goal_verifies_and_no_change_of_it(dir ? dir : ".");
	EVP_PKEY_free(root);
	EVP_PKEY_free(other);
	EVP_PKEY_free(key);
	return 0;
}
