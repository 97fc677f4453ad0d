/*
 * protocol - what a helper that follows a log elsewhere writes for rejoin-log, on a pipe:
 *
 *	event LENGTH ID		and LENGTH bytes and a newline; ID may be empty
 *	gap TEXT		something is missing before the next event
 *	tell STATUS TEXT	for the user; STATUS 0 for what is no error
 *
 * and what it reads on its stdin: the ids of the last events that are known
 * already, a line each, the newest last.  So a helper can be started again at
 * any time.
 */
#ifndef INPUT_PROTOCOL_H
#define INPUT_PROTOCOL_H

#include "base/buf.h"
#include "base/fail.h"

struct protocol_ops {
	void (*event)(const char *id, const char *text, size_t n, void *cookie);
	void (*gap)(const char *why, void *cookie);
	void (*tell)(const struct fail *f, void *cookie);
	void *cookie;
};

void protocol_event(struct buf *out, const char *id, const char *text, size_t n);
void protocol_gap(struct buf *out, const char *why);
void protocol_tell(struct buf *out, const struct fail *f);

/* Take what is whole from the front of IN; -EBADMSG for what is none of these. */
int protocol_parse(struct buf *in, const struct protocol_ops *ops);

#endif
