/*
 * http_response - what a server answered: status, headers, body.
 */
#ifndef BASE_HTTP_RESPONSE_H
#define BASE_HTTP_RESPONSE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

struct http_response {
	int status;		/* 0 while there is none */
	struct buf body;	/* up to the request's maximum; empty where chunks were passed on */
	struct buf headers;	/* of the last response: "Name: value", each ended by NUL */
	int64_t retry_after_s;	/* its Retry-After, seconds from its end; 0 for none */
};

/* The value of R's header NAME (in any case), borrowed; NULL for none. */
const char *http_response_header(const struct http_response *r, const char *name);

/* The first byte that its Content-Range says it has (RFC 9110, section 14.4); -1 where it does not say. */
int64_t http_response_range(const struct http_response *r);

/*
 * 0 for a status of 2xx; else F is filled with NAME and the status: EXIT_DENIED for 401
 * and 403, EXIT_BUSY for 409, 423, 429 and 503, EXIT_TROUBLE for the rest.
 */
int http_response_check(const struct http_response *r, const char *name, struct fail *f);

/* Overwrite and free what R holds. */
void http_response_release(struct http_response *r);

#endif
