/*
 * http_delegate - have the HTTP request of a profile made by a helper program,
 * so that rejoin-retry itself links no HTTP library.
 *
 * The helper reads the request as text on stdin:
 *
 *	url URL
 *	request METHOD
 *	header NAME: VALUE	one line each
 *	token-file PATH
 *	ca-file PATH
 *	timeout MILLISECONDS
 *	(an empty line; the rest is the body)
 *
 * The token is not part of the text: the helper reads the file.  It exits with
 * 0 after a 2xx answer, else it prints the reason and exits with its status.
 */
#ifndef RETRY_HTTP_DELEGATE_H
#define RETRY_HTTP_DELEGATE_H

#include <stdint.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"

struct http_delegate {
	struct profile_http http;	/* owned copies */
	int64_t timeout_ms;
};

void http_delegate_format(const struct profile_http *h, int64_t timeout_ms, struct buf *out);
int http_delegate_parse(const char *text, size_t len, struct http_delegate *r, struct fail *f);
void http_delegate_release(struct http_delegate *r);

/*
 * Run the helper for H and wait for its end: 0 after a 2xx answer, else the
 * helper's status and reason; EXIT_TIMEOUT after TIMEOUT_MS.
 */
int http_delegate_run(const struct profile_http *h, int64_t timeout_ms, struct fail *f);

#endif
