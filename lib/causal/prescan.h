/*
 * prescan - what is known from reading all sources once before they are merged
 * (--exact): which ids are needed before they are sent, in the order of times, and
 * which are sent by no record.
 */
#ifndef CAUSAL_PRESCAN_H
#define CAUSAL_PRESCAN_H

#include <stdbool.h>
#include <stdint.h>

struct prescan;

/* Is ID needed, and never sent? */
bool prescan_is_unsent(const struct prescan *p, uint64_t id);

#endif
