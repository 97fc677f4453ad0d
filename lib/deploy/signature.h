/*
 * signature - is this manifest one that a trusted root key vouches for?
 *
 * Azure Device Update signs a manifest with a JWS inside a JWS:
 *
 *	outer JWS  header {"alg":"RS256","sjwk":INNER}, payload {"sha256":HASH},
 *	           signed by the signing key
 *	INNER      header {"alg":"RS256","kid":ROOT}, payload the signing key as a
 *	           JWK, signed by the root key ROOT
 *	HASH       standard base64 of the SHA-256 of the manifest's text
 *
 * The text is hashed as it was received, after the unescaping of the JSON string
 * that holds it and without being printed again.  What is verified, in this order:
 * the root key is trusted and not disabled (deploy/rootkeys.h); it signed INNER;
 * the signing key is not disabled; it signed the outer JWS; the hash is the
 * text's.  Files and detached manifests are covered by the hashes in the text.
 *
 * Errors: EXIT_DENIED, naming the goal and the step that failed.
 */
#ifndef DEPLOY_SIGNATURE_H
#define DEPLOY_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "deploy/rootkeys.h"

/* What vouches for a manifest: ids as the signature names them. */
struct signer {
	char root[128];		/* the root key's id */
	char key[128];		/* the signing key's id; empty where its JWK has none */
	bool root_unknown;	/* after an error: the root key is not among the trusted ones */
};

/*
 * Verify the JWS_LEN bytes of JWS over the LEN bytes of TEXT; NAME is for
 * messages.  S is filled as far as the signature could be read.
 */
int signature_verify(const struct rootkeys *keys, const char *name, const char *jws, size_t jws_len,
    const char *text, size_t len, struct signer *s, struct fail *f);

#endif
