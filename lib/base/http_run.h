/*
 * http_run - one HTTP request, waited for, on a loop of its own.
 */
#ifndef BASE_HTTP_RUN_H
#define BASE_HTTP_RUN_H

#include "base/fail.h"
#include "base/http.h"

/*
 * Send Q and wait for the end of its response, into R; COOKIE is for Q's chunk
 * callback.  http_response_release(R) whatever the result; errors as base/http.h has them.
 */
int http_run(const struct http_request *q, struct http_response *r, void *cookie, struct fail *f);

#endif
