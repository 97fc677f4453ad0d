/*
 * command_pipe - the commands that the agent gets through its FIFO.
 *
 * Reads the frames (retry/frame.h) of the profile's commands: retries, of which any number is one
 * call, what is meant for one instance, and the calls of a link.  A flood of them fills neither the
 * log nor the loop.  Unknown commands are reported and ignored, and an incomplete frame is dropped
 * after a second.
 *
 * The FIFO and the runtime directory are watched: what was removed is made again, as without them no
 * command could be received.  Where that fails the loop is shut down with EXIT_TROUBLE.
 */
#ifndef DEPLOY_COMMAND_PIPE_H
#define DEPLOY_COMMAND_PIPE_H

#include <stdbool.h>

#include "agent/profile.h"
#include "agent/runtime.h"
#include "base/loop.h"

struct command_pipe_callbacks {
	/* N retries; ANEW: one of them counts attempts anew. */
	void (*retry)(unsigned n, bool anew, void *cookie);
	/* A retry for the instance NAME. */
	void (*instance)(const char *name, void *cookie);
	/* CALL of a link, "METHOD NUMBER"; of several at once the last. */
	void (*call)(const char *call, void *cookie);
	/* The runtime directory was made again: the status is missing there. */
	void (*repaired)(void *cookie);
	void *cookie;
};

struct command_pipe;

/* What is passed must outlive it, but for CALLBACKS, which are copied. */
struct command_pipe *command_pipe_new(struct loop *l, const struct profile *p, struct runtime *r,
    const struct command_pipe_callbacks *callbacks);
void command_pipe_free(struct command_pipe *c);

#endif
