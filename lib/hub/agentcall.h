/*
 * agentcall - ask the agent itself to pause, to resume or to restart, and see what comes of it.
 *
 * The frame "CALL-COMMAND METHOD NUMBER" (retry/frame.h) goes into the agent's command pipe, where
 * CALL-COMMAND is that of its profile.  The outcome is seen in its status file: `call` with that
 * number, or for a restart another incarnation that has started.  module/agent_calls.h is the other
 * side.
 */
#ifndef HUB_AGENTCALL_H
#define HUB_AGENTCALL_H

#include "agent/profile.h"
#include "base/fail.h"
#include "base/loop.h"

struct agentcall;

/* OUTCOME as of devicecall_outcome(), DETAILS a line, or empty.  The handle is gone after the call. */
typedef void agentcall_fn(const char *outcome, const char *details, void *cookie);

/*
 * Ask P's agent; FN is called once, from the loop.  NULL with F filled where it was not asked:
 * EXIT_ABSENT, EXIT_DENIED, EXIT_BUSY (its pipe is full), or trouble.
 */
struct agentcall *agentcall_start(struct loop *l, const struct profile *p, const char *method, agentcall_fn *fn,
    void *cookie, struct fail *f);

/* Forget it; the agent may do it all the same. */
void agentcall_free(struct agentcall *a);

#endif
