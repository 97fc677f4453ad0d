/*
 * owner - the names of users and groups, for messages.
 *
 * What has no name is called by its number.  TEXT is the caller's, and is what
 * is returned.
 */
#ifndef BASE_OWNER_H
#define BASE_OWNER_H

#include <sys/types.h>

enum { OWNER_NAME = 64 };

const char *owner_user(uid_t uid, char text[OWNER_NAME]);
const char *owner_group(gid_t gid, char text[OWNER_NAME]);

#endif
