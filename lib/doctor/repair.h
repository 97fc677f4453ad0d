/*
 * repair - change the mode or group of a file, and nothing else.
 *
 * The file is opened with O_PATH|O_NOFOLLOW and must have the given type and
 * owner.  The change applies to what was opened, even if the name is replaced in
 * between.
 */
#ifndef DOCTOR_REPAIR_H
#define DOCTOR_REPAIR_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"

struct repair {
	mode_t type;		/* S_IFIFO, S_IFDIR */
	uid_t uid;		/* its owner; (uid_t)-1: root or the caller */
	gid_t gid;		/* the group to set; (gid_t)-1: leave it */
	mode_t add, remove;	/* mode bits */
};

/* 0, with a text about what was done in DONE; or -errno, with F. */
int repair_file(const char *path, const struct repair *r, struct buf *done, struct fail *f);

#endif
