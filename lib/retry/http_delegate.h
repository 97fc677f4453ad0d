/*
 * http_delegate - the HTTP request of a profile, as text between two of our programs.
 *
 *	url URL
 *	request METHOD
 *	header NAME: VALUE	each
 *	token-file PATH
 *	ca-file PATH
 *	timeout MILLISECONDS
 *	(an empty line; all that follows is the body)
 *
 * The token itself is not part of it: who makes the request reads the file.
 */
#ifndef RETRY_HTTP_DELEGATE_H
#define RETRY_HTTP_DELEGATE_H

#include <stdint.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"

struct http_delegate {
	struct profile_http http;	/* its own copies */
	int64_t timeout_ms;
};

void http_delegate_format(const struct profile_http *h, int64_t timeout_ms, struct buf *out);
int http_delegate_parse(const char *text, size_t len, struct http_delegate *r, struct fail *f);
void http_delegate_release(struct http_delegate *r);

/*
 * Hand H to the program that makes requests, and wait for its end: 0 where the
 * answer was a 2xx, else what it says.  libc alone.
 */
int http_delegate_run(const struct profile_http *h, int64_t timeout_ms, struct fail *f);

#endif
