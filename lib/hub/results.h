/*
 * results - what became of submissions: the files of done/, written by the link
 * (hub/submission.h has their form) and removed after 10 minutes.
 */
#ifndef HUB_RESULTS_H
#define HUB_RESULTS_H

#include <stdint.h>

#include "base/json.h"

/*
 * The result WORD of the submission NAME, with the exit status STATUS; REASON may be NULL, RESPONSE JSON_ABSENT.
 * A negative errno where it could not be written.
 */
int results_write(const char *dir, const char *name, int64_t id, const char *word, int status,
    const char *reason, struct json response);

/* Remove what is older than 10 minutes. */
void results_sweep(const char *dir);

#endif
