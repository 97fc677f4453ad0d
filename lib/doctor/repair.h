/*
 * repair - give a file another mode or group, and nothing else.
 *
 * It is opened without being used (O_PATH), no link is followed, and what was
 * opened must be of the type and the owner that it should have; the change is
 * made to that, whatever the name leads to by then.
 */
#ifndef DOCTOR_REPAIR_H
#define DOCTOR_REPAIR_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"

struct repair {
	mode_t type;		/* S_IFIFO, S_IFDIR */
	uid_t uid;		/* its owner; (uid_t)-1: root or the caller */
	gid_t gid;		/* its group from here on; (gid_t)-1: as it is */
	mode_t add, remove;	/* bits of its mode */
};

/* What was done, for people, into DONE. */
int repair_file(const char *path, const struct repair *r, struct buf *done, struct fail *f);

#endif
