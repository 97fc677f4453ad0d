/*
 * hostorder - does the order of a file contradict what caused what?
 *
 * A file that names several hosts, as a log server writes it, is in the order in
 * which the records arrived, or was sorted by their stamps.  In the second case
 * position is no program order across hosts.
 */
#ifndef CAUSAL_HOSTORDER_H
#define CAUSAL_HOSTORDER_H

#include <stdbool.h>

#include "record/rule.h"
#include "record/source.h"

/* What is looked at, and of a pipe, which holds it. */
enum { HOSTORDER_BYTES = 4 << 20, HOSTORDER_PIPE = 256 << 10 };

/*
 * Does S, of which nothing was read and whose hosts are looked up, name several hosts
 * and have a record that needs an id before another host's record that sends it?
 */
bool hostorder_is_violated(struct source *s, const struct rules *rules, const bool *used);

#endif
