#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/sha.h"
#include "deploy/jws.h"
#include "deploy/signature.h"

#define _cleanup_jws_	__attribute__((cleanup(jws_release)))

static int
signature_refuse(struct fail *f, const char *name, const char *what)
{
	return fail_set(f, EXIT_DENIED, "%s: signature: %s", name, what);
}

/* The header of J, of which we know all that it requires to be known (RFC 7515, 4.1.11). */
static const char *
header_parse(const struct jws *j, struct json *header)
{
	_cleanup_json_ struct json crit = JSON_ABSENT;
	const char *alg;
	struct fail unused;

	if (json_parse(NULL, j->header, j->header_len, header, &unused) < 0 || !json_is_object(*header))
		return "its header is not a JSON object";
	alg = json_get_text(*header, "alg");
	if (!alg || strcmp(alg, "RS256") != 0)
		return "its algorithm is not RS256";
	crit = json_get(*header, "crit");
	return json_kind(crit) == JSON_NONE ? NULL : "its header demands extensions (crit)";
}

/* The signing key, for which a trusted root key vouches in the JWS INNER. */
static int
signing_key(const struct rootkeys *keys, const char *name, const char *inner, struct jws_key **out,
    struct signer *s, struct fail *f)
{
	_cleanup_jws_ struct jws j = { 0 };
	_cleanup_json_ struct json header = JSON_ABSENT;
	_cleanup_json_ struct json jwk = JSON_ABSENT;
	const char *wrong = jws_parse(inner, strlen(inner), &j), *kid, *type, *alg;
	const struct jws_key *root;
	struct fail unused;

	if (!wrong)
		wrong = header_parse(&j, &header);
	if (wrong)
		return fail_set(f, EXIT_DENIED, "%s: signature: its signing key (sjwk): %s", name, wrong);
	kid = json_get_text(header, "kid");
	if (!kid || strlen(kid) >= sizeof s->root)
		return signature_refuse(f, name, "its signing key names no root key (kid)");
	strcpy(s->root, kid);
	root = rootkeys_find(keys, kid);
	s->root_unknown = !root;
	if (!root)
		return fail_set(f, EXIT_DENIED, "%s: signature: root key '%s' is not trusted here: no file of"
		    " rootkeys.d has it", name, kid);
	if (rootkeys_disabled(keys, kid))
		return fail_set(f, EXIT_DENIED, "%s: signature: root key '%s' is disabled", name, kid);
	if (!jws_verify(&j, root))
		return fail_set(f, EXIT_DENIED, "%s: signature: its signing key is not signed by root key '%s'",
		    name, kid);
	if (json_parse(NULL, j.payload, j.payload_len, &jwk, &unused) < 0 || !json_is_object(jwk))
		return signature_refuse(f, name, "its signing key is not a JWK");
	type = json_get_text(jwk, "kty");
	alg = json_get_text(jwk, "alg");
	if (type && strcmp(type, "RSA") == 0 && (!alg || strcmp(alg, "RS256") == 0))
		*out = jws_key_new(json_get_text(jwk, "n"), json_get_text(jwk, "e"));
	if (json_get_text(jwk, "kid"))
		snprintf(s->key, sizeof s->key, "%s", json_get_text(jwk, "kid"));
	return *out ? 0 : signature_refuse(f, name, "its signing key is not an RSA key of at least 2048 bits for RS256");
}

/* Does the payload of J give the hash of the LEN bytes of TEXT? */
static bool
hash_matches(const struct jws *j, const char *text, size_t len)
{
	_cleanup_json_ struct json payload = JSON_ABSENT;
	struct sha *sha;
	char have[SHA_TEXT];
	const char *want;
	struct fail unused;

	if (json_parse(NULL, j->payload, j->payload_len, &payload, &unused) < 0 || !json_is_object(payload))
		return false;
	want = json_get_text(payload, "sha256");
	sha = sha_new("sha256");
	sha_add(sha, text, len);
	sha_end(sha, have);
	return want && strcmp(want, have) == 0;
}

int
signature_verify(const struct rootkeys *keys, const char *name, const char *jws, size_t jws_len,
    const char *text, size_t len, struct signer *s, struct fail *f)
{
	_cleanup_jws_ struct jws outer = { 0 };
	_cleanup_json_ struct json header = JSON_ABSENT;
	struct jws_key *key = NULL;
	const char *wrong = jws_parse(jws, jws_len, &outer);
	int r;

	*s = (struct signer){ .root = "" };
	if (!wrong)
		wrong = header_parse(&outer, &header);
	if (!wrong && !json_get_text(header, "sjwk"))
		wrong = "its header has no signing key (sjwk)";
	if (wrong)
		return signature_refuse(f, name, wrong);
	r = signing_key(keys, name, json_get_text(header, "sjwk"), &key, s, f);
	if (r == 0 && rootkeys_signing_disabled(keys, key))
		r = fail_set(f, EXIT_DENIED, "%s: signature: its signing key '%s' is disabled", name, s->key);
	if (r == 0 && !jws_verify(&outer, key))
		r = signature_refuse(f, name, "it is not made by its signing key");
	if (r == 0 && !hash_matches(&outer, text, len))
		r = signature_refuse(f, name, "it is of another manifest: the hash of updateManifest differs");
	jws_key_free(key);
	return r;
}
