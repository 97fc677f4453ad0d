/*
 * folder - work folders, of one handler's run each.
 *
 * Making and removing thousands of them is what costs most where scripts are
 * short (ext4 looks for an inode that was not deleted lately), so one that was
 * given back is used again, emptied of all but the file that is wanted there,
 * which is hashed again, and under another name, so that what an earlier run
 * left behind cannot reach it.
 */
#ifndef DEPLOY_FOLDER_H
#define DEPLOY_FOLDER_H

#include "base/fail.h"
#include "deploy/payload.h"

struct folders;

/* Below the directory ROOT. */
struct folders *folders_new(const char *root);

/* What is in ROOT stays: it goes with it. */
void folders_free(struct folders *s);

/*
 * A folder that holds nothing, or SCRIPT alone, made executable, taken from
 * CACHE (deploy/payload.h).  PATH, to be freed, is where.
 */
int folders_take(struct folders *s, const struct payload *script, const char *cache, char **path,
    struct fail *f);

/* PATH was taken for SCRIPT; it is kept for the next if KEEP, else removed. */
void folders_give(struct folders *s, const struct payload *script, const char *path, bool keep);

#endif
