/*
 * bridge_messages - messages between the instances of a device.
 *
 * Each bridge receives on in.sock (SOCK_SEQPACKET) in its instance's home; a packet is
 * TOPIC, a NUL, and the bytes.  routes.json beside that home says which instances get what an
 * instance publishes (deploy/module_manifest.h); it is read for each message.  A peer is
 * accepted if it is root, of our own user, or of a user of instances, as the file owners says.
 */
#ifndef MODULE_BRIDGE_MESSAGES_H
#define MODULE_BRIDGE_MESSAGES_H

#include <stddef.h>

#include "base/fail.h"
#include "base/loop.h"

struct bridge_messages;

typedef void bridge_message_fn(const char *topic, const char *data, size_t len, void *cookie);

/* HOME is STATE/instances/NAME/home. */
struct bridge_messages *bridge_messages_new(struct loop *l, const char *home, bridge_message_fn *fn, void *cookie,
    struct fail *f);
/* HOLD: receive nothing for now.  What does not fit into the socket meanwhile is refused to its sender. */
void bridge_messages_hold(struct bridge_messages *m, bool hold);

void bridge_messages_free(struct bridge_messages *m);

/* To all that subscribe to what the instance publishes as ALIAS.  An error where one of them did not get it. */
int bridge_messages_send(struct bridge_messages *m, const char *alias, const char *data, size_t len, struct fail *f);

#endif
