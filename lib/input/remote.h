/*
 * remote - sources that come over the network: http://..., https://... and
 * impcentral:DEVICE[,DEVICE...], each read by a helper of its own.  What needs
 * libcurl, and knows the tokens, is not in the same process.
 */
#ifndef INPUT_REMOTE_H
#define INPUT_REMOTE_H

#include <stdbool.h>

#include "input/feed.h"
#include "input/source_spec.h"

/* Does LOCATION name such a source? */
bool remote_is(const char *location);

/*
 * cmd:ARGV: a program of the user, which prints input/protocol.h; its words are split as base/argv.h
 * has it, and ${last} in them is the id of the last event, empty for none.  Whenever it
 * ends it is started again behind that id.  Such a source can only be followed.
 */
bool remote_is_command(const char *location);

/* The helper for S as an argument vector, to be freed with xfree_strv(); FOLLOW: it speaks input/protocol.h. */
char **remote_command(const struct source_spec *s, bool follow);

/*
 * S, followed.  A helper that is killed is started again, behind what it gave;
 * one that ends with what may pass (EXIT_TROUBLE, EXIT_TIMEOUT, EXIT_ABSENT) is
 * so as well, and any other status is the end of the feed.
 */
struct feed *remote_new(const struct source_spec *s);

#endif
