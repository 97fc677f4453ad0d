/*
 * workdirs - work directories: one for each run of a handler.
 *
 * Most of the time of short scripts went into making and removing thousands of
 * directories (ext4 searches for an inode that was not deleted lately).  So a
 * directory that was given back is used again: emptied of all files but the
 * script, which is hashed again, and renamed, so that a process of the earlier
 * run cannot reach it by its path.
 */
#ifndef DEPLOY_WORKDIRS_H
#define DEPLOY_WORKDIRS_H

#include "base/fail.h"
#include "deploy/payload.h"

struct workdirs;

/* Below the directory ROOT. */
struct workdirs *workdirs_new(const char *root);

/* The directories in ROOT stay; the caller removes ROOT. */
void workdirs_free(struct workdirs *s);

/*
 * A directory that is empty, or holds SCRIPT alone, executable, from CACHE
 * (deploy/payload.h).  PATH, to be freed, is its path.
 */
int workdirs_take(struct workdirs *s, const struct payload *script, const char *cache, char **path,
    struct fail *f);

/* An empty directory, for what a child will put there. */
int workdirs_make(struct workdirs *s, char **path, struct fail *f);

/* Return PATH, obtained for SCRIPT.  With KEEP it may be used again; else it is removed. */
void workdirs_give(struct workdirs *s, const struct payload *script, const char *path, bool keep);

#endif
