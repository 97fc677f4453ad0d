/*
 * goal_file - the text of a goal in a file.
 *
 * A file that holds an import manifest (deploy/import.h) is read as the goal that it
 * stands for; its payloads, and the import manifests that it refers to, are in the
 * directory that the file is really in.  Any other file is read as it is.
 */
#ifndef DEPLOY_GOAL_FILE_H
#define DEPLOY_GOAL_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/fail.h"

/*
 * The file PATH into TEXT, at most MANIFEST_MAX bytes.  FLAGS are those of file_load(), and hold for the import manifests
 * beside it, too.  With IS_PART an import manifest need not be deployable by itself.
 * Errors: -ENOENT where PATH is not there; those of file_load() and import_goal().
 */
int goal_file_load(const char *path, int flags, bool is_part, struct buf *text, struct fail *f);

#endif
