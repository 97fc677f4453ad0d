/*
 * resolver - a host name resolved in a process of its own, because getaddrinfo(3)
 * blocks.
 */
#ifndef HUB_RESOLVER_H
#define HUB_RESOLVER_H

#include "base/loop.h"

enum { RESOLVER_ADDRESS = 64 };

struct resolver;

/* ADDRESS is NULL where the name cannot be resolved, and WHY then says why.  Called once, from the loop. */
typedef void resolver_fn(const char *address, const char *why, void *cookie);

/* Resolve HOST; several addresses are tried in turn, by ATTEMPT. */
struct resolver *resolver_start(struct loop *l, const char *host, unsigned int attempt, resolver_fn *fn, void *cookie);

/* Give up; the function is not called. */
void resolver_cancel(struct resolver *r);

#endif
