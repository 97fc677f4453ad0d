#include <stdlib.h>

#include "base/xalloc.h"
#include "task/quota.h"

struct quota_user *
quota_enter(struct quota *q, uid_t uid)
{
	struct quota_user *u = q->users;

	while (u && u->uid != uid)
		u = u->next;
	if (!u) {
		u = xcalloc(1, sizeof *u);
		*u = (struct quota_user){ .uid = uid, .next = q->users };
		q->users = u;
	}
	u->connections++;
	return u;
}

void
quota_leave(struct quota *q, struct quota_user *u)
{
	struct quota_user **p = &q->users;

	if (--u->connections > 0)
		return;
	while (*p != u)
		p = &(*p)->next;
	*p = u->next;
	q->held -= u->held;
	free(u);
}

size_t
quota_room(const struct quota *q, const struct quota_user *u, size_t held)
{
	const size_t all = q->held - held, own = u->held - held;
	const size_t a = all < QUOTA_ALL ? QUOTA_ALL - all : 0, b = own < QUOTA_A_USER ? QUOTA_A_USER - own : 0;

	return a < b ? a : b;
}

bool
quota_has_room(const struct quota *q, const struct quota_user *u, size_t held, size_t n)
{
	return n <= QUOTA_SMALL || n <= quota_room(q, u, held) || (n > QUOTA_A_USER && u->held == held);
}

void
quota_set(struct quota *q, struct quota_user *u, size_t *held, size_t n)
{
	const size_t counted = n <= QUOTA_SMALL ? 0 : n;

	q->held += counted - *held;
	u->held += counted - *held;
	*held = counted;
}
