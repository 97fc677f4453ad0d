/*
 * acceptance - is a goal one to be acted on?
 *
 * A goal with a signature must be signed rightly by a key for which a trusted root
 * key vouches (deploy/signature.h).  A goal without a signature, or whose root key
 * is not trusted here, is accepted only where unsigned goals are allowed.  A cancel
 * needs no signature: it runs nothing.  Modules are never signed: they are accepted
 * where modules and unsigned goals both are allowed.
 */
#ifndef DEPLOY_ACCEPTANCE_H
#define DEPLOY_ACCEPTANCE_H

#include <stdbool.h>

#include "base/fail.h"
#include "deploy/goal.h"
#include "deploy/rootkeys.h"
#include "deploy/signature.h"

/*
 * KEYS may be NULL where G has no signature.  S is filled where G is signed by a
 * trusted root key, else it is empty.  Errors: EXIT_DENIED, naming the goal and why.
 */
int acceptance_check(const struct goal *g, const struct rootkeys *keys, bool allow_unsigned,
    struct signer *s, struct fail *f);

/* May the modules of G be run?  True as well where it has none. */
int acceptance_check_modules(const struct goal *g, bool allow_modules, bool allow_unsigned, struct fail *f);

#endif
