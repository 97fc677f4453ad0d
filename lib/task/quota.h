/*
 * quota - how many bytes of bodies and answers the task agent holds, in all and
 * for each user.
 *
 * A connection of a user holds a number of bytes, which rises while a request
 * arrives and falls when its answer is sent.  A part of at most QUOTA_SMALL bytes
 * is not counted: a heartbeat has room whatever else is held, and the number of
 * connections bounds these parts.
 */
#ifndef TASK_QUOTA_H
#define TASK_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	QUOTA_ALL = 24 << 20, QUOTA_A_USER = 8 << 20,	/* bytes */
	QUOTA_SMALL = 4 << 10,
};

/* A user that has connections. */
struct quota_user {
	uid_t uid;
	int connections;
	size_t held;
	struct quota_user *next;
};

/* Open; all zero is empty. */
struct quota {
	size_t held;
	struct quota_user *users;
};

/* One connection more of UID; the last one that leaves ends the user. */
struct quota_user *quota_enter(struct quota *q, uid_t uid);
void quota_leave(struct quota *q, struct quota_user *u);

/* The bytes that a part of U, which holds HELD now, may grow to. */
size_t quota_room(const struct quota *q, const struct quota_user *u, size_t held);

/*
 * May it grow to N?  One that is over QUOTA_A_USER by itself may while the user
 * holds nothing else: else it never could.
 */
bool quota_has_room(const struct quota *q, const struct quota_user *u, size_t held, size_t n);

/* It holds N bytes from here on; *HELD is what is counted of them. */
void quota_set(struct quota *q, struct quota_user *u, size_t *held, size_t n);

#endif
