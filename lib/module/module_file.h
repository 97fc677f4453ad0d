/*
 * module_file - the file of a module: fetched in a child process, verified by its hash,
 * and kept under it, so that modules of the same content share one.
 *
 * DIR/sha256/HEX is of the agent's user, mode 0755.  A job asks the server once; the caller decides
 * when to start another (module/manager.h).  A part of the file that was fetched stays, and the
 * next job resumes it.
 */
#ifndef MODULE_MODULE_FILE_H
#define MODULE_MODULE_FILE_H

#include "base/fail.h"
#include "base/loop.h"
#include "deploy/http_job.h"

struct module_file;

/* FAILURE is NULL where the file is there, else why not, for a report.  Called once, from the loop; the job is gone then. */
typedef void module_file_done(const char *failure, void *cookie);

/* Fetch URL, whose content has the SHA-256 HEX, into DIR.  NULL with F filled where no child can be made. */
struct module_file *module_file_start(struct loop *l, const char *dir, const char *id, const char *url, const char *hex,
    const struct http_job_link *link, module_file_done *done, void *cookie, struct fail *f);

/* End it: DONE is not called. */
void module_file_cancel(struct module_file *m);

/* Its path, to be freed. */
char *module_file_path(const char *dir, const char *hex);

#endif
