/*
 * uidname - the names of users and groups, for messages.
 *
 * Returns TEXT, which holds the name, or the number where there is no name.
 */
#ifndef BASE_UIDNAME_H
#define BASE_UIDNAME_H

#include <sys/types.h>

enum { UIDNAME_MAX = 64 };

const char *uidname_user(uid_t uid, char text[UIDNAME_MAX]);
const char *uidname_group(gid_t gid, char text[UIDNAME_MAX]);

#endif
