/*
 * hub - where goals come from, and hearing that there is a new one.
 *
 * file:PATH (or file:///PATH) is a file whose directory is watched; where it
 * cannot be watched, as long as it is not there, it is looked at from time to
 * time.  What comes is a hint to look, never the goal itself.
 */
#ifndef DEPLOY_HUB_H
#define DEPLOY_HUB_H

#include "base/fail.h"
#include "base/loop.h"

struct hub;

/* CHANGED is called from L; EXIT_USAGE where URL is none of the above. */
int hub_open(struct loop *l, const char *url, loop_fn *changed, void *cookie, struct hub **out,
    struct fail *f);
void hub_close(struct hub *h);

/* The goal's file; the hub's. */
const char *hub_path(const struct hub *h);

#endif
