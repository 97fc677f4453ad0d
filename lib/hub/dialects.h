/*
 * dialects - the dialects there are, by name.
 */
#ifndef HUB_DIALECTS_H
#define HUB_DIALECTS_H

#include "hub/dialect.h"

/* NULL where there is none called NAME. */
const struct dialect *dialects_find(const char *name);

#endif
