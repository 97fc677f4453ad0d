/*
 * swupdate - what the handler microsoft/swupdate:2 has that microsoft/script:1 has not.
 *
 * Its script gets, before the step's arguments, the path of the .swu file that the step
 * names ("swuFileName") and the pairs of swupdate-handler-config.json, an object of strings:
 *
 *	{"--log-file": "/var/log/swupdate.log", "--output-dir": "/var/lib/swupdate"}
 *
 * and leaves its result in aduc_result.json, which counts whatever its exit status is.  A failed
 * install or apply is undone by its action cancel, which must answer 800.
 */
#ifndef DEPLOY_SWUPDATE_H
#define DEPLOY_SWUPDATE_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"
#include "deploy/handler_result.h"

/* Is HANDLER, an id, this one? */
bool swupdate_is_handler(const char *handler);

/* The pairs of the configuration, else of the vendor; an object, which is empty without a file.  It must be trusted. */
int swupdate_load_config(struct json *out, struct fail *f);

/* The path of the result file in the directory WORK_FOLDER; to be freed. */
char *swupdate_result_file(const char *work_folder);

/* Is PATH, where a result is expected, the result file of this handler, and is it there? */
bool swupdate_has_result(const char *path);

/* R, of the action cancel that undoes a failed update: 1100 if it is 800, else a failure with DETAILS. */
void swupdate_set_restored(struct handler_result *r, struct buf *details);

#endif
