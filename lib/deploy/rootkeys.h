/*
 * rootkeys - the root keys that this device trusts, and the keys that it must
 * trust no longer.
 *
 * They are the files NAME.json of rootkeys.d in the configuration directory and
 * in the vendor's (the first overrides the second file by file).  A file is
 *
 *	a root key package of Azure Device Update
 *	    {"protected":{"version","published","disabledRootKeys":[KID...],
 *	      "disabledSigningKeys":[{"alg","hash"}...],
 *	      "rootKeys":{KID:{"keyType":"RSA","n","e"}}},
 *	     "signatures":[{"alg":"RS256","sig"}...]}
 *	a JWK      {"kty":"RSA","kid","n","e"}
 *	a JWK Set  {"keys":[JWK...]}
 *
 * The files are trusted for their place: each must be owned by root or the
 * caller, and not writable by others.  A package is checked as well: each of its
 * root keys must have signed it, over the compact text of "protected", so that
 * a damaged package is refused.  What one file disables is disabled for all.
 *
 * Errors: EXIT_USAGE for what is no such file, EXIT_DENIED for an untrusted
 * place, a wrong signature, or one key id with two different keys.
 */
#ifndef DEPLOY_ROOTKEYS_H
#define DEPLOY_ROOTKEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "deploy/jws.h"

struct rootkeys;

/* All files of rootkeys.d; no directory and no file are no error, and no keys. */
int rootkeys_load(struct rootkeys **out, struct fail *f);
void rootkeys_free(struct rootkeys *r);

struct rootkeys *rootkeys_new(void);

/* Add what the LEN bytes of TEXT hold; NAME is for messages. */
int rootkeys_parse(struct rootkeys *r, const char *name, const char *text, size_t len, struct fail *f);

size_t rootkeys_count(const struct rootkeys *r);

/* The key KID, disabled or not; NULL where there is none. */
const struct jws_key *rootkeys_find(const struct rootkeys *r, const char *kid);
bool rootkeys_disabled(const struct rootkeys *r, const char *kid);

/* Is the signing key K disabled, by the hash of its public key? */
bool rootkeys_signing_disabled(const struct rootkeys *r, const struct jws_key *k);

#endif
