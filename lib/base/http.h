/*
 * http - requests over HTTP and HTTPS, by libcurl.
 *
 * A request is answered as a whole (its body kept, up to a maximum), or as a
 * stream, chunk by chunk.  http_run() waits for the answer; http_start() works
 * on a loop.  Certificates are always verified.  What holds a token or another
 * secret goes over https alone, or to this machine's own addresses, through no
 * proxy there, and no redirect is followed with it; other requests follow five,
 * never from https to http.
 *
 * Messages call a request by its URL without the query, or by what the caller
 * gave it for a name.  Errors are about getting an answer: EXIT_USAGE for a
 * request that is written wrong, EXIT_ABSENT where nobody listens, EXIT_TIMEOUT,
 * EXIT_DENIED for a certificate that is not trusted, EXIT_TROUBLE for the rest.
 * An answer of any status is an answer: http_judge() tells what it means.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/secret.h"

enum { HTTP_BODY_MAX = 1 << 20, HTTP_HEADERS_MAX = 1 << 16 };

struct http_response {
	int status;		/* 0 while there is none */
	struct buf body;	/* up to the maximum; empty where chunks were taken */
	struct buf headers;	/* of the last answer: "Name: value", each ended by NUL */
};

/*
 * N bytes of the body of an answer of status 2xx, gone after the call; first
 * of all once with N = 0, when the headers are there.  A negative result ends
 * the transfer.
 */
typedef int http_chunk(const struct http_response *r, const char *p, size_t n, void *cookie);

struct http_request {
	const char *url;
	const char *name;		/* for messages; NULL for the URL without its query */
	const char *method;		/* NULL: GET, or POST where there is a body */
	const char *const *headers;	/* "Name: value", NULL-terminated; NULL for none */
	const struct secret *token;	/* sent as "Authorization: Bearer"; NULL for none */
	const char *body;		/* copied, and wiped afterwards; NULL for none */
	size_t body_len;
	const char *ca_file;		/* who may have signed the certificate; NULL: whom the system trusts */
	int64_t timeout_ms;		/* for all of it; 0 for none */
	int64_t connect_ms;		/* for the connection; 0: 30 s */
	int64_t idle_ms;		/* without a byte; 0 for none */
	size_t max;			/* bytes of the body kept; 0: HTTP_BODY_MAX */
	bool secret;			/* URL, headers or body hold what only the server may see */
	http_chunk *chunk;		/* takes the body of a 2xx; NULL: it is kept */
};

/* For messages: URL without user, query and fragment, into OUT. */
void http_name(const char *url, struct buf *out);

/* Is URL one that this module takes?  Else EXIT_USAGE. */
int http_check_url(const char *url, bool secret, struct fail *f);

/* R's header NAME (any case), borrowed; NULL for none. */
const char *http_header(const struct http_response *r, const char *name);

/*
 * 0 for a 2xx; else NAME and the status in F: EXIT_DENIED for 401 and 403,
 * EXIT_BUSY for 409, 423, 429 and 503, EXIT_TROUBLE for the rest.
 */
int http_judge(const struct http_response *r, const char *name, struct fail *f);

void http_response_release(struct http_response *r);	/* wipes it, too */

/*
 * Ask and wait for the answer; COOKIE is its chunks'.  http_response_release(R)
 * whatever the result.
 */
int http_run(const struct http_request *q, struct http_response *r, void *cookie, struct fail *f);

/* --- on a loop */
struct http;
struct http_transfer;

/* F is NULL where the answer came to its end; R is filled as far as it came, and gone after the call. */
typedef void http_done(const struct http_response *r, const struct fail *f, void *cookie);

/* Connections are kept and used again by one struct http. */
struct http *http_new(struct loop *l);

/* Its transfers end without a word.  Not to be called by what they call. */
void http_free(struct http *h);

/*
 * Start Q, which is copied; DONE is called once, from the loop, also where Q is
 * wrong.  The transfer frees itself after that call.
 */
struct http_transfer *http_start(struct http *h, const struct http_request *q, http_done *done,
    void *cookie);

/* End it now; DONE is not called.  A chunk may do so. */
void http_cancel(struct http_transfer *t);

/* Take no more of its body for now, so that the sender is held up; or go on.  Idle time does not count meanwhile. */
void http_pause(struct http_transfer *t, bool pause);

#endif
