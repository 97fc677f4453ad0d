/*
 * bridge - what adu-trigger-reprocess, the bridge script of the Azure agent's
 * documentation, has besides rejoin-retry: its name, and the command of its
 * environment.
 */
#ifndef RETRY_BRIDGE_H
#define RETRY_BRIDGE_H

#include <stdbool.h>

#include "agent/profile.h"

/* Is PROGRAM, the name that this one was called by, the script's? */
bool bridge_is_name(const char *program);

/* Deliver the requests of P by the program in ADU_AGENT_BIN, as the script does; not where it cannot be executed. */
void bridge_ask_by_environment(struct profile *p);

#endif
